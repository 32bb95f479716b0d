// The compiler's pages leave memory when they are told to, and come back when they are needed.
#include "ops/pointwise.h"
#include "runtime/engine.h"
#include "runtime/resident.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace tessera {

static int64_t filePagesKb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:"))
      return std::stoll(line.substr(8));
  return 0;
}

TEST(Resident, LibraryPagesLeaveAndComeBack) {
  std::string pattern = std::filesystem::temp_directory_path() / "tessera-resident-XXXXXX";
  std::string folder = mkdtemp(pattern.data());
  Engine engine(Device::open("cpu", {.threads = 1}).value(), {.cacheDir = folder});
  auto scaled = [&] {
    std::filesystem::remove_all(folder); // so that it is compiled
    Engine fresh(engine.device(), {.cacheDir = folder});
    LoadedKernel kernel = fresh.build(ops::Scale{}).value();
    EXPECT_EQ(fresh.stats().compiled, 1);
    std::vector<float> x{1, -2, 3};
    Buffer buffer = fresh.device().upload(f32, {1, 3}, std::span<const float>(x)).value();
    Stream stream = fresh.device().stream().value();
    EXPECT_TRUE(kernel.launch(stream, buffer, 2.0));
    EXPECT_TRUE(stream.synchronize());
    std::span<float> result = buffer.host<float>();
    return std::vector<float>(result.begin(), result.end());
  };
  EXPECT_EQ(scaled(), (std::vector<float>{2, -4, 6}));
  int64_t before = filePagesKb();
  releaseLibraryPages();
  int64_t after = filePagesKb();
  EXPECT_LT(after, before / 2) << "of " << before << " KB";
  EXPECT_EQ(scaled(), (std::vector<float>{2, -4, 6}));
  std::filesystem::remove_all(folder);
}

} // namespace tessera

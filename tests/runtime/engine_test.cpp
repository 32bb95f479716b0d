#include "compiler/compile.h"
#include "dsl/dsl.h"
#include "runtime/engine.h"
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace tessera {

namespace fs = std::filesystem;

// y = factor · x, one program bn elements.
struct Scale {
  static constexpr std::string_view name = "scale";
  double factor = 2;
  struct Config {
    int bn = 64;
    template <class F> void fields(F &&f) { f("bn", bn); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const {
    dsl::Dim N = k.dims("N");
    dsl::Tensor x = k.in("x", f32, {N});
    dsl::Tensor y = k.out("y", f32, {N});
    dsl::Range n = k.parallel(dsl::blocks(N, c.bn));
    store(y(n), load(x(n)) * factor);
  }
};

// A definition with a mistake on a line of this file.
struct Wrong : Scale {
  static constexpr int line = __LINE__ + 5;
  void define(dsl::Kernel &k, const Config &c) const {
    dsl::Dim N = k.dims("N");
    dsl::Tensor x = k.in("x", f32, {N});
    dsl::Range n = k.parallel(dsl::blocks(N, c.bn));
    store(x(n), load(x(n)));
  }
};

class EngineTest : public testing::Test {
protected:
  Device device = Device::open("cpu", {.threads = 2}).value();
  std::string cache = [] {
    std::string pattern = fs::temp_directory_path() / "tessera-engine-XXXXXX";
    return std::string(mkdtemp(pattern.data()));
  }();
  ~EngineTest() override { fs::remove_all(cache); }
  EngineOptions options() { return {.cacheDir = cache}; }

  float run(const LoadedKernel &kernel) { // of 100 threes, the last
    std::vector<float> threes(100, 3.f);
    Buffer x = device.upload(f32, {100}, std::span<const float>(threes)).value();
    Buffer y = device.alloc(f32, {100}).value();
    Status done = kernel.launch(device.stream().value(), x, y);
    EXPECT_TRUE(done) << done.error().message;
    return y.host<float>()[99];
  }
};

TEST_F(EngineTest, CompilesLaunchesAndRemembers) {
  Engine engine(device, options());
  EXPECT_EQ(run(engine.build(Scale{}).value()), 6);
  EXPECT_EQ(engine.stats().compiled, 1);
  EXPECT_GT(engine.stats().compileMs, 0);
  EXPECT_EQ(run(engine.build(Scale{}).value()), 6);
  EXPECT_EQ(engine.stats().compiled, 1);
  EXPECT_EQ(engine.stats().fromMemory, 1);
  EXPECT_EQ(run(engine.build(Scale{5}).value()), 15); // another constant is another kernel
  EXPECT_EQ(engine.stats().compiled, 2);
}

TEST_F(EngineTest, ASecondEngineFindsTheKernelOnDisk) {
  EXPECT_EQ(run(Engine(device, options()).build(Scale{}).value()), 6);
  Engine second(device, options());
  EXPECT_EQ(run(second.build(Scale{}).value()), 6);
  EXPECT_EQ(second.stats().compiled, 0);
  EXPECT_EQ(second.stats().fromDisk, 1);
  EXPECT_EQ(second.stats().compileMs, 0);
}

TEST_F(EngineTest, ACorruptEntryIsRebuilt) {
  EXPECT_TRUE(Engine(device, options()).build(Scale{}));
  for (const fs::directory_entry &entry : fs::directory_iterator(cache))
    fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
  Engine second(device, options());
  EXPECT_EQ(run(second.build(Scale{}).value()), 6);
  EXPECT_EQ(second.stats().compiled, 1);
  EXPECT_EQ(second.stats().corruptEntries, 1);
  Engine third(device, options());
  EXPECT_TRUE(third.build(Scale{}));
  EXPECT_EQ(third.stats().fromDisk, 1);
}

TEST_F(EngineTest, TheChooserSetsTheConfig) {
  EngineOptions chosen = options();
  std::string asked;
  chosen.chooser = [&](std::string_view op, std::span<const Shape> shapes, const Target &target) {
    asked = std::string(op) + " " + toString(shapes[0]) + " " + std::string(target.name);
    return "bn=16";
  };
  Engine engine(device, chosen);
  const Shape shapes[] = {{100}, {100}};
  LoadedKernel kernel = engine.build(Scale{}, shapes).value();
  EXPECT_EQ(asked, "scale [100] " + std::string(device.target().name));
  EXPECT_EQ(kernel.signature().grid[0].block, 16);
  EXPECT_EQ(run(kernel), 6);
  EXPECT_EQ(engine.build(Scale{}, Scale::Config{.bn = 32}).value().signature().grid[0].block, 32);
  chosen.chooser = [](auto...) { return "bq=16"; };
  Result<LoadedKernel> refused = Engine(device, chosen).build(Scale{});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("bq"), std::string::npos);
}

TEST_F(EngineTest, AMistakeInTheDefinitionNamesItsLine) {
  Result<LoadedKernel> refused = Engine(device, options()).build(Wrong{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::invalidArgument);
  std::string where = "engine_test.cpp:" + std::to_string(Wrong::line) + ":";
  EXPECT_NE(refused.error().message.find(where), std::string::npos) << refused.error().message;
}

TEST_F(EngineTest, LoadsManyCompilingEachOnce) {
  EngineOptions counting = options();
  std::atomic<int> last{-1}, total{0};
  counting.onProgress = [&](const CompileProgress &p) {
    EXPECT_GE(p.done, last.load()); // never backwards
    last = p.done;
    total = p.total;
    EXPECT_EQ(p.name, "scale");
  };
  Engine engine(device, counting);
  std::vector<Program> programs;
  for (double factor : {2.0, 3.0, 2.0, 4.0})
    programs.push_back(engine.program(Scale{factor}, Scale::Config{}).value());
  std::vector<LoadedKernel> kernels = engine.loadAll(programs).value();
  ASSERT_EQ(kernels.size(), 4u);
  EXPECT_EQ(run(kernels[0]), 6);
  EXPECT_EQ(run(kernels[1]), 9);
  EXPECT_EQ(run(kernels[2]), 6);
  EXPECT_EQ(run(kernels[3]), 12);
  EXPECT_EQ(engine.stats().compiled, 3);
  EXPECT_EQ(last, 3);
  EXPECT_EQ(total, 3);
}

TEST_F(EngineTest, TwoThreadsCompileAKernelOnce) {
  std::atomic<int> compiles{0};
  EngineOptions slow = options();
  slow.compile = [&](const Program &program, const Target &target) {
    ++compiles;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return compile(program, target);
  };
  Engine engine(device, slow);
  auto build = [&] { EXPECT_TRUE(engine.build(Scale{})); };
  std::thread other(build);
  build();
  other.join();
  EXPECT_EQ(compiles, 1);
}

TEST_F(EngineTest, AFailedCompileIsReportedAndTriedAgain) {
  EngineOptions failing = options();
  int attempts = 0;
  failing.compile = [&](const Program &program, const Target &target) -> Result<Artifact> {
    if (++attempts == 1)
      return unsupported("not today");
    return compile(program, target);
  };
  Engine engine(device, failing);
  EXPECT_EQ(engine.build(Scale{}).error().message, "not today");
  EXPECT_TRUE(engine.build(Scale{}));
}

TEST_F(EngineTest, DerivedSizesAreCheckedAtLaunch) {
  LoadedKernel kernel = Engine(device, options())
                            .load(traceKernel("halves", "",
                                              [](dsl::Kernel &k) {
                                                dsl::Dim N = k.dims("N");
                                                dsl::Tensor x = k.in("x", f32, {N});
                                                dsl::Tensor y = k.out("y", f32, {N / 2});
                                                dsl::Range n = k.parallel(dsl::blocks(N / 2, 8));
                                                store(y(n), load(x(n)));
                                              })
                                      .value())
                            .value();
  Stream stream = device.stream().value();
  Buffer x = device.alloc(f32, {16}).value();
  EXPECT_TRUE(kernel.launch(stream, x, device.alloc(f32, {8}).value()));
  Status wrong = kernel.launch(stream, x, device.alloc(f32, {9}).value());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "halves: y has N/2 = 9 along axis 0, which does not fit N = 16");
}

// An assembler that answers as one, and then does what `body` says.
static std::string assembler(const std::string &folder, const std::string &body) {
  std::string path = folder + "/ptxas";
  std::ofstream(path)
      << "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Ptx optimizing assembler, release 9, V9.9.9'; "
         "exit 0; fi\n"
      << body << "\n";
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

// A virtual GPU runs the PTX; the assembler's code only lies beside it, under a key of its own.
TEST_F(EngineTest, ANamedAssemblerMustSucceed) {
  Device gpu = Device::open("virtual:t4").value();
  fs::path bin = cache + "/bin";
  fs::create_directories(bin);
  auto with = [&](std::string ptxas) {
    EngineOptions chosen = options();
    chosen.ptxas = std::move(ptxas);
    return Engine(gpu, chosen);
  };
  std::vector<float> threes(100, 3.f), out(100);
  Buffer x = gpu.upload(f32, {100}, std::span<const float>(threes)).value(), y = gpu.alloc(f32, {100}).value();
  Engine plain = with(""), working = with(assembler(bin, "printf '\\177ELF' > \"$5\""));
  for (const Engine &engine : {plain, working}) {
    ASSERT_TRUE(engine.build(Scale{}).value().launch(gpu.stream().value(), x, y));
    ASSERT_TRUE(y.copyTo(out.data(), 400));
    EXPECT_EQ(out[99], 6);
    EXPECT_EQ(engine.stats().compiled, 1);
  }
  fs::create_directories(bin / "failing");
  Result<LoadedKernel> refused = with(assembler(bin / "failing", "exit 1")).build(Scale{5});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "kernel 'scale': the assembler " + (bin / "failing/ptxas").string() + " 9.9.9 fails: it said nothing");
  Result<LoadedKernel> missing = with("/nowhere/ptxas").build(Scale{7});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().message.starts_with("'/nowhere/ptxas' is no ptxas that runs")) << missing.error().message;
}

} // namespace tessera

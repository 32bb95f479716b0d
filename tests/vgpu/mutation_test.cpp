// What the checker is worth: from kernels that pass, one barrier, wait, fence or arrival at a time is taken
// away; nearly every such mutant must be reported or change the result. Unmutated kernels stay clean.
#include "tests/vgpu/cuda_api.h"
#include <functional>
#include <optional>
#include <sstream>

namespace {

struct alignas(64) Map {
  char bytes[128];
};

class Mutation : public VirtualGpu {
protected:
  using Result = std::optional<std::vector<uint32_t>>;
  struct Case {
    std::string file, kernel;
    std::function<Result(void *)> run;
  };

  std::vector<uint32_t> numbers(size_t n) {
    std::vector<uint32_t> v(n);
    for (size_t i = 0; i < n; ++i)
      v[i] = uint32_t(i * 2654435761u >> 8 & 0x3f003f); // small as bf16 pairs, integers and denormals alike
    return v;
  }
  template <class... Args>
  Result output(void *f, Dim grid, Dim block, unsigned shared, CUdeviceptr out, size_t words, Args... args) {
    if (shared > 49152)
      cuFuncSetAttribute(f, 8, int(shared));
    if (launch(f, grid, block, shared, args...) != 0)
      return std::nullopt;
    return download<uint32_t>(out, words);
  }
  Map map2d(CUdeviceptr p, int type, uint64_t columns, uint64_t rows, uint64_t pitch, uint32_t boxColumns,
            uint32_t boxRows, int swizzle) {
    Map map;
    uint64_t sizes[] = {columns, rows}, strides[] = {pitch};
    uint32_t box[] = {boxColumns, boxRows}, steps[] = {1, 1};
    cuTensorMapEncodeTiled(&map, type, 2, reinterpret_cast<void *>(p), sizes, strides, box, steps, 0, swizzle, 0, 0);
    return map;
  }

  std::vector<Case> cases() {
    auto floats = [this](size_t n) {
      std::vector<float> v(n);
      for (size_t i = 0; i < n; ++i)
        v[i] = float(i * 7919 % 1000) - 500;
      return upload(v);
    };
    auto halves = [this](size_t n) { // bf16 of small whole numbers
      std::vector<uint16_t> v(n);
      for (size_t i = 0; i < n; ++i)
        v[i] = uint16_t(0x3f80 + (i * 7919 % 5) * 0x20);
      return upload(v);
    };
    std::vector<Case> list;
    list.push_back({"basics.sm_90a", "reduce", [=, this](void *f) {
                      auto x = floats(3000), out = zeros<float>(3);
                      return output(f, {3}, {256}, 0, out, 3, x, out, 1000);
                    }});
    list.push_back({"basics.sm_90a", "scan", [=, this](void *f) {
                      auto x = floats(2048), out = zeros<int>(2048);
                      return output(f, {2}, {1024}, 0, out, 2048, x, out);
                    }});
    list.push_back({"basics.sm_90a", "transposePadded", [=, this](void *f) {
                      auto x = floats(64 * 64), out = zeros<float>(64 * 64);
                      return output(f, {2, 2}, {32, 8}, 0, out, 64 * 64, x, out, 64);
                    }});
    list.push_back({"basics.sm_90a", "histogram", [=, this](void *f) {
                      auto x = upload(numbers(1000)), bins = zeros<unsigned>(256), sum = zeros<float>(1);
                      return output(f, {3}, {256}, 0, bins, 256, x, bins, sum, 3999);
                    }});
    list.push_back({"basics.sm_90a", "sgemm", [=, this](void *f) {
                      auto a = floats(50 * 45), b = floats(45 * 70), c = zeros<float>(50 * 70);
                      return output(f, {5, 4}, {16, 16}, 0, c, 50 * 70, a, b, c, 50, 70, 45);
                    }});
    list.push_back({"cooperative.sm_80", "producerConsumer", [=, this](void *f) {
                      auto x = floats(9 * 128), out = zeros<float>(128);
                      return output(f, {1}, {160}, 0, out, 128, x, out, 9);
                    }});
    for (int stages : {2, 4})
      list.push_back({"matrix.sm_80", "gemm" + std::to_string(stages), [=, this](void *f) {
                        auto a = halves(64 * 192), b = halves(192 * 64), c = zeros<float>(64 * 64);
                        return output(f, {1}, {128}, unsigned(stages) * (64 * 40 + 32 * 72) * 2, c, 64 * 64, a, b, c,
                                      64, 192);
                      }});
    list.push_back({"hopper.sm_90a", "doubleTiles", [=, this](void *f) {
                      auto in = floats(100 * 50), out = zeros<float>(100 * 50);
                      Map from = map2d(in, 7, 100, 50, 400, 64, 32, 0), to = map2d(out, 7, 100, 50, 400, 64, 32, 0);
                      return output(f, {2, 2}, {128}, 0, out, 100 * 50, from, to);
                    }});
    list.push_back({"hopper.sm_90a", "wgmmaGemm", [=, this](void *f) {
                      auto a = halves(64 * 448), b = halves(64 * 448), c = zeros<float>(64 * 64);
                      Map mapA = map2d(a, 9, 448, 64, 896, 64, 64, 3), mapB = map2d(b, 9, 448, 64, 896, 64, 64, 3);
                      return output(f, {1}, {160}, 65536, c, 64 * 64, mapA, mapB, c, 64, 448);
                    }});
    list.push_back({"hopper.sm_90a", "multicast", [=, this](void *f) {
                      auto in = floats(256), out = zeros<float>(512);
                      return output(f, {4}, {128}, 0, out, 512, in, out);
                    }});
    return list;
  }

  Result attempt(const Case &c, const std::string &text) {
    cuDevicePrimaryCtxReset_v2(0);
    cuDevicePrimaryCtxRetain(&context, 0);
    cuCtxSetCurrent(context);
    void *module = nullptr, *f = nullptr;
    if (cuModuleLoadData(&module, text.c_str()) != 0 || cuModuleGetFunction(&f, module, c.kernel.c_str()) != 0)
      return std::nullopt;
    return c.run(f);
  }
};

// Mutants that mean the same as the original, by line of the checked-in PTX: after the last barrier of the scan a
// thread reads only what it wrote; the consumers' last arrivals (one is not even executed) and the last cluster wait
// serve nobody.
bool equivalent(const std::string &kernel, size_t line) {
  return (kernel == "scan" && line == 1396) || (kernel == "producerConsumer" && line == 442) ||
         (kernel == "wgmmaGemm" && line == 1165) || (kernel == "multicast" && line == 1504);
}

TEST_F(Mutation, NearlyEveryMissingSynchronisationIsFound) {
  int mutants = 0, caught = 0;
  std::string missed;
  for (const Case &c : cases()) {
    std::ifstream file("tests/vgpu/kernels/" + c.file + ".ptx");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
      lines.push_back(line);
    auto join = [&](size_t without, const std::string &instead) {
      std::string text;
      for (size_t i = 0; i < lines.size(); ++i)
        text += (i == without ? instead : lines[i]) + "\n";
      return text;
    };
    auto good = attempt(c, join(lines.size(), ""));
    ASSERT_TRUE(good) << c.kernel << ": " << findings();
    bool inside = false;
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string &line = lines[i];
      if (line.find(".entry") != line.npos)
        inside = line.find(".entry " + c.kernel + "(") != line.npos;
      if (!inside)
        continue;
      std::vector<std::string> instead;
      for (const char *what : {"bar.sync", "bar.arrive", "barrier.sync", "cp.async.wait_group", "fence.proxy.async",
                               "mbarrier.arrive", "mbarrier.init", "barrier.cluster.wait"})
        if (line.find(what) != line.npos && line.find("//") == line.npos)
          instead.push_back("");
      if (line.find("mbarrier.try_wait") != line.npos) // the wait is over at once
        instead.push_back("setp.eq.u32 done, 0, 0;");
      for (const std::string &with : instead) {
        if (equivalent(c.kernel, i + 1))
          continue;
        ++mutants;
        auto result = attempt(c, join(i, with));
        if (!result || *result != *good)
          ++caught;
        else
          missed += "  " + c.kernel + " line " + std::to_string(i + 1) + ": " + line + "\n";
      }
    }
  }
  RecordProperty("mutants", mutants);
  std::printf("%d of %d mutants found\n%s", caught, mutants, missed.c_str());
  EXPECT_GE(mutants, 60);
  EXPECT_GE(double(caught), 0.95 * mutants) << missed;
}

} // namespace

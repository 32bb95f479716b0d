#include "tests/vgpu/kernel_cases.h"
#include <algorithm>
#include <cmath>

namespace {
// One launch after the other.
Outcome both(Outcome first, const Outcome &second) {
  if (!first || !second)
    return std::nullopt;
  first->insert(first->end(), second->begin(), second->end());
  return first;
}
} // namespace

CUdeviceptr CaseRunner::floats(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = float(i * 7919 % 1000) - 500;
  return upload(v);
}

CUdeviceptr CaseRunner::whole(size_t n) {
  std::vector<uint32_t> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = uint32_t(i * 2654435761u) >> 3;
  return upload(v);
}

CUdeviceptr CaseRunner::brains(size_t n) {
  std::vector<uint16_t> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = uint16_t(0x3f80 + (i * 7919 % 11) * 0x10);
  return upload(v);
}

TensorMapBytes CaseRunner::map2d(CUdeviceptr p, int type, uint64_t columns, uint64_t rows, uint32_t boxColumns,
                                 uint32_t boxRows, int swizzle) {
  TensorMapBytes map;
  uint64_t sizes[] = {columns, rows}, strides[] = {columns * (type == 7 ? 4 : 2)};
  uint32_t box[] = {boxColumns, boxRows}, steps[] = {1, 1};
  EXPECT_EQ(
      cuTensorMapEncodeTiled(&map, type, 2, reinterpret_cast<void *>(p), sizes, strides, box, steps, 0, swizzle, 0, 0),
      0);
  return map;
}

std::string CaseRunner::textOf(const KernelCase &c) {
  // The other kernels of the file become empty lines: a module is decoded as a whole each time it is loaded.
  std::ifstream file("tests/vgpu/kernels/" + c.file + ".ptx");
  std::string text;
  bool other = false, opened = false;
  long depth = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find(".entry ") != line.npos)
      other = line.find(".entry " + c.kernel + "(") == line.npos, opened = false;
    text += (other ? "" : line) + "\n";
    depth += std::count(line.begin(), line.end(), '{') - std::count(line.begin(), line.end(), '}');
    opened |= depth > 0;
    other &= depth > 0 || !opened;
  }
  return text;
}

Outcome CaseRunner::attempt(const KernelCase &c, const std::string &text, bool *loaded) {
  void *context = nullptr, *module = nullptr, *f = nullptr;
  cuDevicePrimaryCtxReset_v2(0);
  cuDevicePrimaryCtxRetain(&context, 0);
  cuCtxSetCurrent(context);
  bool fine = cuModuleLoadData(&module, text.c_str()) == 0 && cuModuleGetFunction(&f, module, c.kernel.c_str()) == 0;
  if (loaded)
    *loaded = fine;
  return fine ? c.run(f) : std::nullopt;
}

std::vector<KernelCase> CaseRunner::cases() {
  std::vector<KernelCase> list;
  auto add = [&](const char *file, const std::string &kernel, std::function<Outcome(void *)> run) {
    list.push_back({file, kernel, std::move(run)});
  };
  for (const char *kernel : {"saxpy", "functions", "doubles"})
    add("basics.sm_90a", kernel, [this, name = std::string(kernel)](void *f) {
      std::vector<float> v(300);
      std::vector<double> w(300); // from nothing to far beyond what exp and sin have short ways for
      for (int i = 0; i < 300; ++i)
        w[size_t(i)] = (i % 2 ? -1 : 1) * std::pow(1.1, i - 100), v[size_t(i)] = float(w[size_t(i)]);
      auto x = name == "doubles" ? upload(w) : upload(v), out = zeros<float>(300 * 8);
      if (name == "saxpy")
        return output(f, {3}, {128}, 0, out, 2400, 2.5f, x, out, 300);
      return output(f, {3}, {128}, 0, out, 2400, x, out, 300);
    });
  add("basics.sm_90a", "integers", [this](void *f) {
    auto x = whole(300), y = whole(400), out = zeros<int64_t>(300);
    return output(f, {3}, {128}, 0, out, 600, x, y, out, 300);
  });
  add("basics.sm_90a", "reduce", [this](void *f) {
    auto x = floats(3000), out = zeros<float>(3);
    return output(f, {3}, {256}, 0, out, 3, x, out, 1000);
  });
  add("basics.sm_90a", "scan", [this](void *f) {
    auto x = whole(2048), out = zeros<int>(2048);
    return output(f, {2}, {1024}, 0, out, 2048, x, out);
  });
  for (const char *kernel : {"transposePadded", "transposeConflicts"})
    add("basics.sm_90a", kernel, [this](void *f) {
      auto x = floats(64 * 64), out = zeros<float>(64 * 64);
      return output(f, {2, 2}, {32, 8}, 0, out, 64 * 64, x, out, 64);
    });
  add("basics.sm_90a", "histogram", [this](void *f) {
    auto x = whole(1000), bins = zeros<unsigned>(256), sum = zeros<float>(1);
    return output(f, {3}, {256}, 0, bins, 256, x, bins, sum, 3999);
  });
  add("basics.sm_90a", "sgemm", [this](void *f) {
    auto a = floats(50 * 45), b = floats(45 * 70), c = zeros<float>(50 * 70);
    return output(f, {5, 4}, {16, 16}, 0, c, 50 * 70, a, b, c, 50, 70, 45);
  });
  add("cooperative.sm_80", "producerConsumer", [this](void *f) {
    auto x = floats(9 * 128), out = zeros<float>(128);
    return output(f, {1}, {160}, 0, out, 128, x, out, 9);
  });
  add("matrix.sm_80", "mmaTuring", [this](void *f) {
    auto a = brains(16 * 48), b = brains(8 * 48), c = zeros<float>(16 * 8);
    auto none = output(f, {1}, {32}, 0, c, 128, a, b, c, 0);
    return both(none, output(f, {1}, {32}, 0, c, 128, a, b, c, 48));
  });
  for (int stages : {2, 4})
    add("matrix.sm_80", "gemm" + std::to_string(stages), [this, stages](void *f) {
      auto a = brains(64 * 192), b = brains(192 * 64), c = zeros<float>(64 * 64);
      Outcome all = std::vector<uint32_t>();
      for (int k : {0, 32, 192})
        all = both(all, output(f, {1}, {128}, unsigned(stages) * (64 * 40 + 32 * 72) * 2, c, 64 * 64, a, b, c, 64, k));
      return all;
    });
  add("hopper.sm_90a", "doubleTiles", [this](void *f) {
    auto in = floats(100 * 50), out = zeros<float>(100 * 50);
    auto from = map2d(in, 7, 100, 50, 64, 32, 0), to = map2d(out, 7, 100, 50, 64, 32, 0);
    return output(f, {2, 2}, {128}, 0, out, 100 * 50, from, to);
  });
  add("hopper.sm_90a", "wgmmaGemm", [this](void *f) {
    auto a = brains(64 * 576), b = brains(64 * 576), c = zeros<float>(64 * 64);
    auto mapA = map2d(a, 9, 576, 64, 64, 64, 3), mapB = map2d(b, 9, 576, 64, 64, 64, 3);
    return output(f, {1}, {160}, 65536, c, 64 * 64, mapA, mapB, c, 64, 576);
  });
  add("hopper.sm_90a", "multicast", [this](void *f) {
    auto in = floats(256), out = zeros<float>(512);
    return output(f, {4}, {128}, 0, out, 512, in, out);
  });
  add("hopper.sm_90a", "neighbours", [this](void *f) {
    auto out = zeros<int>(256);
    return output(f, {8}, {32}, 0, out, 256, out);
  });
  add("checker.sm_90a", "warpTranspose", [this](void *f) {
    auto x = floats(9 * 1024), out = zeros<float>(9 * 1024);
    return output(f, {1}, {128}, 0, out, 9 * 1024, x, out, 9);
  });
  add("checker.sm_90a", "halfWarps", [this](void *f) {
    auto x = whole(32), out = zeros<int>(32);
    return output(f, {1}, {32}, 0, out, 32, x, out, 11);
  });
  add("checker.sm_90a", "sharedLock", [this](void *f) {
    auto x = whole(16), out = zeros<int>(4);
    return output(f, {1}, {128}, 0, out, 4, x, out, 16);
  });
  add("checker.sm_80", "phases", [this](void *f) {
    auto x = whole(128), out = zeros<int>(128);
    return output(f, {1}, {128}, 0, out, 128, x, out, 11);
  });
  add("checker.sm_90a", "copyArrive", [this](void *f) {
    auto x = floats(11 * 256), out = zeros<float>(64);
    return output(f, {1}, {128}, 0, out, 64, x, out, 11);
  });
  add("checker.sm_90a", "bulkRing", [this](void *f) {
    auto out = zeros<float>(11 * 256);
    return output(f, {1}, {128}, 0, out, 11 * 256, out, 11, 0.5f);
  });
  add("checker.sm_90a", "proxies", [this](void *f) {
    auto x = floats(11 * 128), out = zeros<float>(128);
    return output(f, {1}, {128}, 0, out, 128, x, out, 11);
  });
  add("checker.sm_90a", "twoConsumers", [this](void *f) {
    auto a = brains(128 * 576), b = brains(64 * 576), c = zeros<float>(128 * 64);
    auto mapA = map2d(a, 9, 576, 128, 64, 128, 3), mapB = map2d(b, 9, 576, 64, 64, 64, 3);
    auto mapC = map2d(c, 7, 64, 128, 64, 64, 0);
    return output(f, {1}, {384}, 3 * 24576 + 32768, c, 128 * 64, mapA, mapB, mapC, 576);
  });
  add("checker.sm_90a", "fromRegisters", [this](void *f) {
    auto a = brains(64 * 64), b = brains(64 * 64), c = zeros<float>(64 * 64);
    return output(f, {1}, {128}, 0, c, 64 * 64, a, b, c);
  });
  add("checker.sm_90a", "clusterPipeline", [this](void *f) {
    auto in = floats(7 * 128), out = zeros<float>(256);
    return output(f, {2}, {160}, 0, out, 256, in, out, 7);
  });
  add("checker.sm_90a", "clusterReduce", [this](void *f) {
    auto x = whole(256), out = zeros<int>(256);
    auto none = output(f, {8}, {32}, 0, out, 256, x, out, 0);
    return both(none, output(f, {8}, {32}, 0, out, 256, x, out, 3));
  });
  return list;
}

// JIT-compiles a kernel of one's own and one operator of the library, runs both and checks what they computed.
#include "dsl/dsl.h"
#include "ops/gemm.h"
#include "runtime/engine.h"
#include <cstdio>

using namespace tessera;

// y = a·x + y. One program owns one block of the vectors.
struct Axpy {
  static constexpr std::string_view name = "axpy";
  struct Config {
    int block = 1024;
    template <class F> void fields(F &&f) { f("block", block); }
  };
  Config defaultConfig(const Target &) const { return {}; }

  void define(dsl::Kernel &k, const Config &c) const {
    auto N = k.dims("N");
    dsl::Tensor x = k.in("x", f32, {N}), y = k.inOut("y", f32, {N});
    dsl::Tile a = k.scalar("a", f32);
    dsl::Range n = k.parallel(dsl::blocks(N, c.block));
    store(y(n), a * load(x(n)) + load(y(n)));
  }
};

static Result<int> run() {
  Device device = TESSERA_TRY(Device::open("cpu"));
  Stream stream = TESSERA_TRY(device.stream());
  Engine engine(device);

  const int64_t n = 1000; // no multiple of the block: ranges mask themselves
  std::vector<float> ones(n, 1), twos(n, 2);
  Buffer x = TESSERA_TRY(device.upload<float>(f32, {n}, ones));
  Buffer y = TESSERA_TRY(device.upload<float>(f32, {n}, twos));
  TESSERA_TRY(TESSERA_TRY(engine.build(Axpy{})).launch(stream, x, y, 3.0f));

  Buffer A = TESSERA_TRY(device.upload<float>(f32, {20, 50}, ones));
  Buffer B = TESSERA_TRY(device.upload<float>(f32, {50, 20}, twos));
  Buffer C = TESSERA_TRY(device.alloc(f32, {20, 20}));
  TESSERA_TRY(TESSERA_TRY(engine.build(ops::Gemm{.in = f32, .out = f32})).launch(stream, A, B, C));
  TESSERA_TRY(stream.synchronize());

  int wrong = 0;
  for (float value : y.host<float>())
    wrong += value != 5;
  for (float value : C.host<float>())
    wrong += value != 100;
  std::printf("axpy of %lld elements and a 20 x 20 x 50 gemm on %s: %d wrong\n", (long long)n,
              std::string(device.target().name).c_str(), wrong);
  return wrong;
}

int main() {
  Result<int> wrong = run();
  if (!wrong)
    std::fprintf(stderr, "%s\n", wrong.error().message.c_str());
  return wrong && *wrong == 0 ? 0 : 1;
}

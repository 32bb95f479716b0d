// A kernel written by hand in CUDA C++ and an operator of the library, recorded together as one graph.
// Usage: cuda_kernel [DEVICE], "virtual:a100" where none is named; "cuda:0" is a real GPU.
#include "ops/softmax.h"
#include "runtime/driver/nvrtc.h"
#include "runtime/engine.h"
#include <cmath>
#include <cstdio>

using namespace tessera;

// y[r, c] = x[r, c] + bias[c]. One block owns 256 columns of one row.
static driver::CudaSource addBias() {
  driver::CudaSource source;
  source.file = "add_bias.cu";
  source.text = R"(
extern "C" __global__ void add_bias(long long R, long long C, const float *x, const float *bias, float *y) {
  long long c = blockIdx.x * 256ll + threadIdx.x;
  if (c < C)
    y[blockIdx.y * C + c] = x[blockIdx.y * C + c] + bias[c];
})";
  Extent R{0}, C{1};
  source.signature = {
      .name = "add_bias",
      .dims = {"R", "C"},
      .args = {{"x", ArgKind::in, f32, {R, C}}, {"bias", ArgKind::in, f32, {C}}, {"y", ArgKind::out, f32, {R, C}}},
      .grid = {{R, 1}, {C, 256}}}; // the last axis is blockIdx.x
  source.block.threads = {256, 1, 1};
  return source;
}

static Result<int> run(const char *name) {
  Device device = TESSERA_TRY(Device::open(name));
  Artifact artifact = TESSERA_TRY(driver::compileCuda(addBias(), device.target()));
  LoadedKernel byHand = TESSERA_TRY(LoadedKernel::load(device, artifact));
  LoadedKernel softmax = TESSERA_TRY(Engine(device).build(ops::Softmax{}));

  const int64_t rows = 3, columns = 1000;
  Buffer x = TESSERA_TRY(device.upload<float>(f32, {rows, columns}, std::vector<float>(rows * columns, 1)));
  Buffer bias = TESSERA_TRY(device.upload<float>(f32, {columns}, std::vector<float>(columns, 2)));
  Buffer sum = TESSERA_TRY(device.alloc(f32, {rows, columns})), y = TESSERA_TRY(device.alloc(f32, {rows, columns}));
  Stream stream = TESSERA_TRY(device.stream());
  TESSERA_TRY(stream.beginCapture());
  TESSERA_TRY(byHand.launch(stream, x, bias, sum));
  TESSERA_TRY(softmax.launch(stream, sum, y));
  Graph graph = TESSERA_TRY(stream.endCapture());
  TESSERA_TRY(graph.launch(stream));
  TESSERA_TRY(stream.synchronize());

  std::vector<float> out(rows * columns);
  TESSERA_TRY(y.copyTo(out.data(), int64_t(out.size() * sizeof(float))));
  int wrong = 0;
  for (float value : out)
    wrong += std::abs(value - 1.f / columns) > 1e-8f;
  std::printf("softmax(x + bias) of %lld x %lld on %s: %d wrong\n", (long long)rows, (long long)columns, name, wrong);
  return wrong;
}

int main(int count, char **words) {
  Result<int> wrong = run(count > 1 ? words[1] : "virtual:a100");
  if (wrong)
    return *wrong == 0 ? 0 : 1;
  std::fprintf(stderr, "%s\n", wrong.error().message.c_str());
  return wrong.error().blame == Blame::unsupported ? 77 : 1; // 77: this machine has no NVRTC
}

// Launches one library op on a virtual GPU and prints the launch's report as JSON, for scripts that compare.
// Usage: vgpu_op DEVICE OP DTYPE SIZES CONFIG (vgpu_op virtual:h100 gemm f16 M=512,N=512,K=512 bm=128,bn=128,bk=64).
// What `tessera run-kernel` cannot launch is launched too: kernels that take tensor maps.
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include <charconv>
#include <cstdio>

namespace tessera::bench {

static Result<ops::Sizes> parsed(std::string_view text) {
  ops::Sizes sizes;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    size_t equals = std::min(item.find('='), item.size());
    int64_t &size = sizes[std::string(item.substr(0, equals))];
    std::string_view digits = item.substr(std::min(item.size(), equals + 1));
    if (std::from_chars(digits.data(), digits.data() + digits.size(), size).ec != std::errc())
      return invalidArgument("'" + std::string(item) + "': want name=number");
  }
  return sizes;
}

static Status run(const std::vector<std::string> &words) {
  Device device = TESSERA_TRY(Device::open(words[0]));
  const ops::OpInfo &op = *TESSERA_TRY(ops::findOp(words[1]));
  ops::OpRequest request{dtypeByName(words[2]), words[4], TESSERA_TRY(parsed(words[3]))};
  if (!request.dtype)
    return invalidArgument("unknown dtype '" + words[2] + "'");
  Program program = TESSERA_TRY(op.trace(request, device.target()));
  LoadedKernel kernel = TESSERA_TRY(load(device, program));
  auto arguments = TESSERA_TRY(argumentsOf(device, program.signature, sizesOf(op, request.sizes)));
  Stream stream = TESSERA_TRY(device.stream());
  TESSERA_TRY(kernel.launchAll(stream, arguments->args));
  TESSERA_TRY(stream.synchronize());
  std::string report = device.impl().launchReport();
  if (report.empty())
    return invalidArgument("'" + words[0] + "' reports no launches: want virtual:CHIP");
  std::printf("%s\n", report.c_str());
  return {};
}

} // namespace tessera::bench

int main(int count, char **words) {
  if (count != 6) {
    std::fprintf(stderr, "usage: vgpu_op DEVICE OP DTYPE SIZES CONFIG\n");
    return 2;
  }
  auto done = tessera::bench::run({words + 1, words + count});
  if (!done)
    std::fprintf(stderr, "vgpu_op: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}

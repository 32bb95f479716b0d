// libFuzzer entry: any bytes are parsed; what parses is printed and parsed again.
#include "runtime/vgpu/ptx/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace tessera::vgpu::ptx;
  auto module = parse({reinterpret_cast<const char *>(data), size});
  if (module)
    (void)print(*module);
  return 0;
}

// libFuzzer entry: any text is loaded as a module (parsed, placed, every kernel decoded); what parses is printed,
// parsed again and printed the same.
#include "runtime/vgpu/driver/abi.h"
#include "runtime/vgpu/ptx/parser.h"
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace tessera::vgpu;

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuModuleLoadDataEx(void **, const void *, unsigned, const int *, void **);
int cuModuleUnload(void *);
}

static int start() {
  setenv("TESSERA_VGPU_QUIET", "1", 1);
  setenv("TESSERA_VGPU_REGISTERS", "liveness", 1); // no assembler for every input
  void *context = nullptr;
  if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
    std::abort();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  [[maybe_unused]] static const int once = start();
  const std::string text(reinterpret_cast<const char *>(data), size);
  // The API is not told how long an image is and takes binary ones at their word: vgpu_fuzz_image tries those.
  if (text.starts_with("\xb1\x43\x62\x46") || text.starts_with("\x50\xed\x55\xba"))
    return 0;
  void *module = nullptr;
  char log[200] = "";
  const int options[] = {5, 6};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  if (cuModuleLoadDataEx(&module, text.c_str(), 2, options, values) == 0 && cuModuleUnload(module))
    std::abort();
  if (auto parsed = ptx::parse(text)) {
    const std::string once = ptx::print(*parsed);
    auto again = ptx::parse(once);
    if (!again || ptx::print(*again) != once) {
      std::printf("%s\n%s\n", once.c_str(), again ? ptx::print(*again).c_str() : again.error().message.c_str());
      std::abort();
    }
  }
  return 0;
}

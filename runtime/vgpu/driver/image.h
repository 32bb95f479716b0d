// The PTX text in a module image: plain text, or a fat binary as nvcc writes it, whose entries may be compressed.
#pragma once
#include "runtime/vgpu/driver/abi.h"
#include <string>

namespace tessera::vgpu::driver {

struct Image {
  CUresult result = SUCCESS;
  std::string text;    // PTX
  std::string message; // why there is none
};

// `size` bytes are there at least; 0 where the caller does not know: then text ends at its zero byte, and a fat binary
// is as long as it says itself. Of several PTX entries the one for the highest capability up to `arch` (times ten) is
// taken.
Image readImage(const void *image, size_t size, uint32_t arch);

// LZ4 blocks (the format's block description). False where the input is damaged or does not fill `into` exactly.
bool unpackLz4(const unsigned char *from, size_t size, std::string &into);

// "sm_90a" gives 90 and true; 0 where it cannot be read.
uint32_t archOf(std::string_view target, bool &specific);

} // namespace tessera::vgpu::driver

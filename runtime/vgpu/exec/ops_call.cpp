// The functions of the device runtime that kernels call: vprintf and __assertfail.
#include "runtime/vgpu/exec/access.h"
#include <cstdio>

namespace tessera::vgpu {
namespace {

// Bytes at a generic address of a lane, checked; null after it reported.
u8 *generic(Warp &w, u32 lane, u64 address, u32 bytes) {
  u64 high = address >> 32, low = address & 0xffffffff;
  u64 localSize = w.launch->program->localBytes;
  if (high == localWindow >> 32 && low + bytes <= localSize)
    return w.local.data() + lane * localSize + low;
  if (high == sharedWindow >> 32 && low + bytes <= w.block->shared.size())
    return w.block->shared.data() + low;
  return globalBytes(w, lane, address, bytes, false);
}

std::string text(Warp &w, u32 lane, u64 address, size_t limit) {
  std::string s;
  for (; s.size() < limit; ++address) {
    u8 *c = generic(w, lane, address, 1);
    if (!c || !*c)
      break;
    s += char(*c);
  }
  return s;
}

template <class T> T local(Warp &w, u32 lane, u64 offset) {
  T value;
  std::memcpy(&value, w.local.data() + lane * u64(w.launch->program->localBytes) + offset, sizeof value);
  return value;
}
} // namespace

void runPrintf(Warp &w, const Op &op) {
  for (u32 l = 0; l < lanes && !w.launch->stop; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    std::string format = text(w, l, local<u64>(w, l, op.x), 4096), out;
    u64 arguments = local<u64>(w, l, op.y), at = 0;
    int count = 0;
    auto take = [&](u32 bytes) -> u64 {
      at = (at + bytes - 1) / bytes * bytes;
      u64 value = 0;
      if (u8 *p = generic(w, l, arguments + at, bytes))
        std::memcpy(&value, p, bytes);
      at += bytes;
      ++count;
      return value;
    };
    for (size_t i = 0; i < format.size(); ++i) {
      if (format[i] != '%') {
        out += format[i];
        continue;
      }
      size_t end = i + 1;
      while (end < format.size() &&
             std::string_view("-+ #0123456789.*hlLjzt").find(format[end]) != std::string_view::npos)
        ++end;
      if (end >= format.size())
        break;
      std::string spec = format.substr(i, end - i);
      char kind = format[end];
      for (size_t star; (star = spec.find('*')) != spec.npos;)
        spec.replace(star, 1, std::to_string(std::min(s32(take(4)), 4096)));
      bool wide = spec.find('l') != spec.npos || spec.find('z') != spec.npos || spec.find('j') != spec.npos ||
                  spec.find('t') != spec.npos;
      std::erase_if(spec, [](char c) { return std::string_view("hlLjzt").find(c) != std::string_view::npos; });
      char buffer[512] = "";
      if (kind == '%')
        out += '%';
      else if (kind == 's')
        out += text(w, l, take(8), 4096);
      else if (kind == 'c')
        out += char(take(4));
      else if (std::string_view("diouxX").find(kind) != std::string_view::npos) {
        u64 value = take(wide ? 8 : 4);
        bool isSigned = kind == 'd' || kind == 'i';
        spec += wide || isSigned ? "ll" : "";
        spec += kind;
        if (isSigned)
          std::snprintf(buffer, sizeof buffer, spec.c_str(), wide ? (long long)value : (long long)s32(value));
        else if (wide)
          std::snprintf(buffer, sizeof buffer, spec.c_str(), (unsigned long long)value);
        else
          std::snprintf(buffer, sizeof buffer, spec.c_str(), unsigned(value));
        out += buffer;
      } else if (kind == 'p') {
        std::snprintf(buffer, sizeof buffer, "0x%llx", (unsigned long long)take(8));
        out += buffer;
      } else if (std::string_view("eEfFgGaA").find(kind) != std::string_view::npos) {
        spec += kind;
        std::snprintf(buffer, sizeof buffer, spec.c_str(), std::bit_cast<double>(take(8)));
        out += buffer;
      }
      i = end;
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::memcpy(w.local.data() + l * u64(w.launch->program->localBytes) + op.c, &count, 4);
  }
  std::fflush(stdout);
}

void runAssertFail(Warp &w, const Op &op) {
  u32 l = u32(std::countr_zero(w.mask));
  std::string what = text(w, l, local<u64>(w, l, op.more[0]), 1000),
              file = text(w, l, local<u64>(w, l, op.more[1]), 1000);
  std::string function = text(w, l, local<u64>(w, l, op.more[3]), 1000);
  w.fail(Fault::assertion, l, 0,
         file + ":" + std::to_string(local<u32>(w, l, op.more[2])) + ": " + function + ": assertion `" + what +
             "' failed");
}

} // namespace tessera::vgpu

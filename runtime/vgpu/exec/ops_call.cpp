// Calls and returns as operations, and the functions of the device runtime that kernels call: vprintf, __assertfail.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/calls.h"
#include <cstdio>

namespace tessera::vgpu {
namespace {

constexpr size_t deepest = 4096; // calls that a lane may have open

u64 placeOf(const Fragment &f, Base base, u32 offset) {
  return offset + (base == Base::frame ? f.frame : base == Base::top ? f.top : 0);
}

bool enter(Warp &w, Fragment &f, const Activation *callee, u32 back) {
  if (f.calls.size() >= deepest) {
    w.fail(Fault::illegal, u32(std::countr_zero(w.mask)), 0, "calls nested deeper than " + std::to_string(deepest));
    return false;
  }
  Call call{back, f.frame, f.top, nullptr};
  if (callee) {
    if (f.top + callee->frameBytes > w.launch->program->localBytes) {
      w.fail(Fault::bounds, u32(std::countr_zero(w.mask)), f.top,
             "the stack of calls is full: " + std::to_string(stackBytes) + " bytes a thread");
      return false;
    }
    auto saved = std::make_shared<SavedRegisters>();
    saved->of = callee;
    for (auto [plane, wide] : callee->planes) {
      const u8 *from = w.registers + plane;
      saved->planes.insert(saved->planes.end(), from, from + (wide ? 256 : 128));
    }
    for (u32 p : callee->predicates)
      saved->predicates.push_back(w.predicates[p]);
    call.saved = std::move(saved);
    f.frame = f.top;
    f.top += callee->frameBytes;
  }
  f.calls.push_back(std::move(call));
  return true;
}

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

// op.flag: arguments are relative to the frame of a stacked function.
u64 base(const Warp &w, const Op &op) { return op.flag ? w.fragments[w.current].frame : 0; }

template <class T> T local(Warp &w, u32 lane, u64 offset) {
  T value;
  std::memcpy(&value, w.local.data() + lane * u64(w.launch->program->localBytes) + offset, sizeof value);
  return value;
}
} // namespace

// A parameter from the caller's local memory to the callee's, or back. op.x from, op.y to, op.c bytes, flags: bases.
void runCopyLocal(Warp &w, const Op &op) {
  u64 size = w.launch->program->localBytes;
  const Fragment &f = w.fragments[w.current];
  u64 from = placeOf(f, Base(op.flag), op.x), to = placeOf(f, Base(op.flag2), op.y);
  if (std::max(from, to) + op.c > size)
    return w.fail(Fault::bounds, u32(std::countr_zero(w.mask)), to, "the stack of calls is full");
  for (u32 l = 0; l < lanes; ++l)
    if (w.mask >> l & 1)
      std::memcpy(&w.local[l * size + to], &w.local[l * size + from], op.c);
}
void runMove32(Warp &w, const Op &op) {
  map1<u32, u32>(w, op, [](u32 a) { return a; });
}
void runMove64(Warp &w, const Op &op) {
  map1<u64, u64>(w, op, [](u64 a) { return a; });
}

// The address of a variable in the frame: op.imm is its offset (and the window of generic addresses).
void runFrameAddress(Warp &w, const Op &op) {
  alignas(64) u64 t[lanes];
  alignas(64) u32 n[lanes];
  u64 at = w.fragments[w.current].frame + u64(op.imm);
  for (u32 l = 0; l < lanes; ++l)
    t[l] = at, n[l] = u32(at);
  if (op.flag)
    w.put(op.d, t);
  else
    w.put(op.d, n);
}

// Enters `callee` with the lanes of fragment `f`, which goes on at `back`; false when it has no room.
// op.x: the callee's entry; op.y: its activation, or nowhere for one with static places.
void runCall(Warp &w, const Op &op) {
  const Activation *callee = op.y == nowhere ? nullptr : &w.launch->program->activations[op.y];
  if (enter(w, w.fragments[w.current], callee, w.pc))
    w.pc = op.x;
}

// op.a: addresses of functions; op.y: where lanes of different callees meet again.
void runCallIndirect(Warp &w, const Op &op) {
  const auto *address = w.in<u64>(op.a);
  const Program &program = *w.launch->program;
  u32 left = w.active, back = w.pc;
  while (left) {
    u32 first = u32(std::countr_zero(left)), group = 0;
    u64 to = address[first];
    for (u32 l = 0; l < lanes; ++l)
      group |= u32((left >> l & 1) && address[l] == to) << l;
    left &= ~group;
    u64 number = (to & 0xffffffff) / functionStride;
    bool known = to >> 32 == functionWindow >> 32 && to % functionStride == 0 && number < program.callable.size() &&
                 program.callable[number] != nowhere;
    if (!known)
      return w.fail(Fault::illegal, first, to, "calls an address that is no function");
    const Activation &callee = program.activations[program.callable[number]];
    if (callee.signature != op.x)
      return w.fail(Fault::illegal, first, to, "calls a function whose parameters are not those of the prototype");
    bool last = left == 0;
    w.branch(callee.entryPoint, group, op.y);
    if (!enter(w, last ? w.fragments[w.current] : w.fragments.back(), &callee, back))
      return;
  }
}

// The results of a stacked callee have been read: its registers are again what they were before the call.
void runRestore(Warp &w, const Op &) {
  Fragment &f = w.fragments[w.current];
  std::shared_ptr<const SavedRegisters> saved = std::move(f.returned);
  if (!saved)
    return;
  const u8 *from = saved->planes.data();
  for (auto [plane, wide] : saved->of->planes) {
    if (wide)
      w.put(plane, reinterpret_cast<const u64 *>(from));
    else
      w.put(plane, reinterpret_cast<const u32 *>(from));
    from += wide ? 256 : 128;
  }
  for (size_t k = 0; k < saved->predicates.size(); ++k)
    w.putPredicate(saved->of->predicates[k], saved->predicates[k]);
}

void runReturn(Warp &w, const Op &) {
  Fragment &f = w.fragments[w.current];
  Call call = std::move(f.calls.back());
  f.calls.pop_back();
  w.pc = call.pc;
  f.frame = call.frame;
  f.top = call.top;
  f.returned = std::move(call.saved);
}

void runPrintf(Warp &w, const Op &op) {
  for (u32 l = 0; l < lanes && !w.launch->stop; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    std::string format = text(w, l, local<u64>(w, l, base(w, op) + op.x), 4096), out;
    u64 arguments = local<u64>(w, l, base(w, op) + op.y), at = 0;
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
    std::memcpy(w.local.data() + l * u64(w.launch->program->localBytes) + base(w, op) + op.c, &count, 4);
  }
  std::fflush(stdout);
}

void runAssertFail(Warp &w, const Op &op) {
  u32 l = u32(std::countr_zero(w.mask));
  std::string what = text(w, l, local<u64>(w, l, base(w, op) + op.more[0]), 1000),
              file = text(w, l, local<u64>(w, l, base(w, op) + op.more[1]), 1000);
  std::string function = text(w, l, local<u64>(w, l, base(w, op) + op.more[3]), 1000);
  w.fail(Fault::assertion, l, 0,
         file + ":" + std::to_string(local<u32>(w, l, base(w, op) + op.more[2])) + ": " + function + ": assertion `" +
             what + "' failed");
}

} // namespace tessera::vgpu

#include "runtime/vgpu/exec/access.h"
#include <algorithm>
#include <bit>
#include <cinttypes>

namespace tessera::vgpu {
namespace {
using ptx::Space;

std::string hex(u64 value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

void reportGlobal(Warp &w, u32 lane, u64 address, u64 bytes, bool write) {
  std::string what =
      std::string(write ? "write" : "read") + " of " + std::to_string(bytes) + " bytes at " + hex(address);
  const Memory &memory = *w.launch->memory;
  const Allocation *in = memory.find(address);
  if (in && in->freed)
    return w.fail(Fault::useAfterFree, lane, address,
                  what + ", in an allocation of " + std::to_string(in->size) + " bytes that was freed");
  if (in && in->readOnly && write)
    return w.fail(Fault::bounds, lane, address, what + ", which is constant memory");
  const Allocation *near = in ? in : memory.before(address);
  if (near)
    what += ", " + std::to_string(address + bytes - near->start - near->size) +
            " bytes beyond the end of the allocation at " + hex(near->start) + " of " + std::to_string(near->size) +
            " bytes";
  else
    what += ", which belongs to no allocation";
  w.fail(Fault::bounds, lane, address, what);
}

Allocation *lookup(Warp &w, u64 address, u64 bytes, bool write) {
  Worker::Lookup &slot = w.worker->lookups[w.pc % 64];
  if (address >= slot.low && address + bytes <= slot.high && !(write && slot.allocation->readOnly))
    return slot.allocation;
  Allocation *found = w.launch->memory->find(address);
  if (!found || found->freed || bytes > found->size - (address - found->start) || (write && found->readOnly))
    return nullptr;
  slot = {found->start, found->start + found->size, found};
  return found;
}

bool resolveGlobal(Warp &w, const Op &op, Access &x) {
  u64 low = ~0ull, high = 0, odd = 0;
  for (u32 l = 0; l < lanes; ++l)
    if (x.mask >> l & 1) {
      low = std::min(low, x.address[l]);
      high = std::max(high, x.address[l]);
      odd |= x.address[l];
      x.at[l] = reinterpret_cast<u8 *>(x.address[l]);
    }
  const Options &options = w.launch->options;
  if (options.checkBounds) {
    const Worker::Lookup &slot = w.worker->lookups[w.pc % 64];
    bool inside = low >= slot.low && high + x.bytes <= slot.high && !(x.write && slot.allocation->readOnly);
    u64 alignment = std::min<u64>(x.bytes, op.bytes * u64(op.count ? op.count : 1));
    bool aligned = (odd & (alignment - 1)) == 0;
    if (!inside || !aligned || options.checkGlobalInit)
      for (u32 l = 0; l < lanes; ++l) {
        if (!(x.mask >> l & 1))
          continue;
        if (!aligned && (x.address[l] & (alignment - 1))) {
          w.fail(Fault::misaligned, l, x.address[l],
                 "the address " + hex(x.address[l]) + " is not a multiple of " + std::to_string(alignment));
          return false;
        }
        Allocation *a = lookup(w, x.address[l], x.bytes, x.write);
        if (!a) {
          reportGlobal(w, l, x.address[l], x.bytes, x.write);
          return false;
        }
        if (a->written) {
          u8 *flags = a->written.get() + (x.address[l] - a->start);
          if (x.read && std::find(flags, flags + x.bytes, 0) != flags + x.bytes) {
            w.fail(Fault::uninitialised, l, x.address[l],
                   "read of global memory at " + hex(x.address[l]) + " that nobody wrote");
            return false;
          }
          if (x.write)
            std::memset(flags, 1, x.bytes);
        }
      }
  }
  countGlobal(w, x);
  return true;
}

// Passes that the active lanes of [first, first + group) need, one by one: the most words that share a bank.
u64 passesOf(const Access &x, u32 first, u32 group) {
  u32 word[lanes], bankNext[lanes], words = 0, worst = 0;
  s8 head[32];
  u8 depth[32] = {};
  std::memset(head, -1, sizeof head);
  u32 wordsEach = x.bytes <= 4 ? 1 : x.bytes / 4;
  for (u32 k = 0; k < wordsEach; ++k)
    for (u32 l = first; l < first + group; ++l) {
      if (!(x.mask >> l & 1))
        continue;
      u32 value = u32(x.address[l] >> 2) + k, bank = value & 31;
      bool seen = false;
      for (s32 i = head[bank]; i >= 0 && !seen; i = s32(bankNext[i]))
        seen = word[i] == value;
      if (seen || words == lanes)
        continue;
      word[words] = value;
      bankNext[words] = u32(s32(head[bank]));
      head[bank] = s8(words++);
      worst = std::max<u32>(worst, ++depth[bank]);
    }
  return worst;
}

// Whether one pass serves them: no bank is asked for two words. Lanes with more than a word have as many banks side by
// side, and two such runs are the same or have no bank in common.
bool onePass(const Access &x, u32 first, u32 group) {
  const u32 shift = x.bytes <= 4 ? 2 : x.bytes == 8 ? 3 : 4, places = 128u >> shift;
  u32 held[32], taken = 0;
  for (u32 l = first; l < first + group; ++l) {
    if (!(x.mask >> l & 1))
      continue;
    const u32 chunk = u32(x.address[l] >> shift), place = chunk & (places - 1);
    if (x.address[l] & (x.bytes - 1))
      return false;
    if ((taken >> place & 1) && held[place] != chunk)
      return false;
    taken |= 1u << place;
    held[place] = chunk;
  }
  return true;
}

// Wavefronts: 128 bytes a pass over 32 banks of 4 bytes; accesses of 8 and 16 bytes go by halves and quarters of a
// warp.
u64 wavefronts(const Access &x) {
  const u32 group = x.bytes <= 4 ? 32 : x.bytes == 8 ? 16 : 8;
  const bool whole = x.bytes <= 16 && std::has_single_bit(x.bytes);
  u64 total = 0;
  for (u32 first = 0; first < lanes; first += group)
    if (x.mask >> first & (~0u >> (32 - group)))
      total += whole && onePass(x, first, group) ? 1 : passesOf(x, first, group);
  return total;
}

// The common case of resolveShared: whole words of the warp's own block, in bounds and aligned. Answers the lanes that
// need a closer look, which are not done; what `x.at` of the others is, is set.
u32 resolvePlain(Warp &w, u64 alignment, Access &x) {
  Block &block = *w.block;
  u64 bits = 0, top = 0;
  for (u32 l = 0; l < lanes; ++l)
    if (x.mask >> l & 1) {
      bits |= x.address[l];
      top = std::max(top, x.address[l]);
    }
  const SharedUse use = x.use();
  const bool reads = use == SharedUse::read, stores = use == SharedUse::write || use == SharedUse::beginCopy;
  if ((!reads && !stores) || (bits & (alignment - 1)) || ((bits | x.bytes) & 3) || bits >> clusterShift ||
      top + x.bytes > block.shared.size() || (stores && block.asyncReads))
    return x.mask;
  for (u32 l = 0; l < lanes; ++l)
    if (x.mask >> l & 1)
      x.at[l] = block.shared.data() + x.address[l];
  if (!w.launch->options.checkShared)
    return 0;
  const u16 flags = use == SharedUse::write ? Shadow::genericFlag : u16(Shadow::genericFlag | Shadow::pendingFlag);
  u32 left = 0;
  for (u32 todo = x.mask; todo;) {
    const u32 l = u32(std::countr_zero(todo));
    u32 same = 1u << l; // lanes in a row that read the same words
    for (u32 next = l + 1; reads && next < lanes && (todo >> next & 1) && x.address[next] == x.address[l]; ++next)
      same |= 1u << next;
    const u64 word = x.address[l] >> 2, end = (x.address[l] + x.bytes) >> 2;
    w.viewer.lane = l;
    if ((reads ? block.shadow.readWords(word, end, w.viewer, same)
               : block.shadow.writeWords(word, end, w.viewer, flags)) != end)
      left |= same;
    todo &= ~same;
  }
  return left;
}

bool resolveShared(Warp &w, const Op &op, Access &x) {
  Block &mine = *w.block;
  u64 alignment = std::min<u64>(x.bytes, op.bytes * u64(op.count ? op.count : 1));
  const Options &options = w.launch->options;
  SharedUse use = x.use();
  x.rewrites = 0;
  const u32 closely = resolvePlain(w, alignment, x);
  for (u32 l = 0; l < lanes; ++l) {
    if (!(closely >> l & 1))
      continue;
    u64 offset = x.address[l] & ((1u << clusterShift) - 1), rank = x.address[l] >> clusterShift;
    Block *block = &mine;
    if (rank) {
      if (rank > mine.cluster.size() || mine.cluster[rank - 1]->finished()) {
        w.fail(Fault::bounds, l, x.address[l],
               "shared memory of block " + std::to_string(rank - 1) + " of the cluster, which " +
                   (rank > mine.cluster.size() ? "does not exist" : "has ended"));
        return false;
      }
      block = mine.cluster[rank - 1];
    }
    if (offset + x.bytes > block->shared.size()) {
      w.fail(Fault::bounds, l, x.address[l],
             std::string(x.write ? "write" : "read") + " of " + std::to_string(x.bytes) + " bytes at offset " +
                 std::to_string(offset) + " of shared memory, which has " + std::to_string(block->shared.size()) +
                 " bytes");
      return false;
    }
    if (offset & (alignment - 1)) {
      w.fail(Fault::misaligned, l, x.address[l],
             "the shared offset " + std::to_string(offset) + " is not a multiple of " + std::to_string(alignment));
      return false;
    }
    if (options.checkShared && !checkShared(w, *block, l, offset, x.bytes, use, x.compares ? &x.rewrites : nullptr))
      return false;
    x.at[l] = block->shared.data() + offset;
    if (x.atomic && options.checkShared) [[unlikely]]
      atomicOrder(w, *block, l, u32(offset / 4), x);
  }
  OpCount &count = w.worker->counts[w.pc - 1];
  const u64 passes = wavefronts(x);
  count.wavefronts += passes;
  count.idealWavefronts += std::min(passes, std::max<u64>(1, (u64(std::popcount(x.mask)) * x.bytes + 127) / 128));
  return true;
}

bool resolveLocal(Warp &w, const Op &op, Access &x) {
  u64 size = w.launch->program->localBytes;
  u64 alignment = std::min<u64>(x.bytes, op.bytes * u64(op.count ? op.count : 1));
  for (u32 l = 0; l < lanes; ++l) {
    if (!(x.mask >> l & 1))
      continue;
    u64 offset = x.address[l] & 0xffffffff;
    if (offset + x.bytes > size || (offset & (alignment - 1))) {
      w.fail(offset + x.bytes > size ? Fault::bounds : Fault::misaligned, l, x.address[l],
             "local memory at offset " + std::to_string(offset) + " of " + std::to_string(size) + " bytes");
      return false;
    }
    x.at[l] = w.local.data() + l * size + offset;
  }
  return true;
}

bool resolveParam(Warp &w, Access &x) {
  const auto &parameters = w.launch->parameters;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(x.mask >> l & 1))
      continue;
    u64 offset = x.address[l] & 0xffffffff;
    if (offset + x.bytes > parameters.size() || x.write) {
      w.fail(Fault::bounds, l, x.address[l],
             "kernel parameters at offset " + std::to_string(offset) + " of " + std::to_string(parameters.size()) +
                 " bytes");
      return false;
    }
    x.at[l] = const_cast<u8 *>(parameters.data()) + offset;
  }
  return true;
}
} // namespace

void gatherAddresses(Warp &w, const Op &op, Access &x) {
  if (op.flag & 1) {
    const auto *a = w.in<u64>(op.a);
    for (u32 l = 0; l < lanes; ++l)
      x.address[l] = a[l] + u64(op.imm);
  } else {
    const auto *a = w.in<u32>(op.a);
    for (u32 l = 0; l < lanes; ++l)
      x.address[l] = u32(a[l] + u32(op.imm));
  }
}

bool resolve(Warp &w, const Op &op, Space space, Access &x) {
  switch (space) {
  case Space::global:
  case Space::constant:
    return resolveGlobal(w, op, x);
  case Space::shared:
    return resolveShared(w, op, x);
  case Space::local:
    return resolveLocal(w, op, x);
  case Space::param:
    return resolveParam(w, x);
  default:
    break;
  }
  u32 masks[4] = {}; // global, shared, local, param
  for (u32 l = 0; l < lanes; ++l)
    if (x.mask >> l & 1) {
      u64 high = x.address[l] >> 32;
      u32 which = high == sharedWindow >> 32 ? 1 : high == localWindow >> 32 ? 2 : high == paramWindow >> 32 ? 3 : 0;
      masks[which] |= 1u << l;
    }
  u32 all = x.mask;
  constexpr Space spaces[] = {Space::global, Space::shared, Space::local, Space::param};
  bool fine = true;
  for (int k = 0; k < 4 && fine; ++k) {
    if (!masks[k])
      continue;
    x.mask = masks[k];
    for (u32 l = 0; k && l < lanes; ++l)
      if (masks[k] >> l & 1)
        x.address[l] &= 0xffffffff;
    fine = resolve(w, op, spaces[k], x);
  }
  x.mask = all;
  return fine;
}

u8 *globalBytes(Warp &w, u32 lane, u64 address, u64 bytes, bool write) {
  Allocation *a = lookup(w, address, bytes, write);
  if (!a) {
    reportGlobal(w, lane, address, bytes, write);
    return nullptr;
  }
  if (a->written) {
    u8 *flags = a->written.get() + (address - a->start);
    if (write)
      std::memset(flags, 1, bytes);
    else if (const u8 *hole = std::find(flags, flags + bytes, 0); hole != flags + bytes) {
      w.fail(Fault::uninitialised, lane, address + u64(hole - flags),
             "read of global memory at " + hex(address + u64(hole - flags)) + " that nobody wrote");
      return nullptr;
    }
  }
  w.worker->counts[w.pc - 1].l2 += w.worker->traffic.touchRange(address, bytes, write, false);
  return reinterpret_cast<u8 *>(address);
}

} // namespace tessera::vgpu

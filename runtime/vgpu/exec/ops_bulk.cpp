// Bulk and tensor copies (ISA 9.7.9.25.4, 9.7.9.25.5): between global and shared memory, completed through an mbarrier
// or a bulk group. Data moves when the copy is issued; the destination counts as in flight until the mbarrier was
// waited for.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/async.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/reduction.h"
#include "runtime/vgpu/exec/tensor_map.h"

namespace tessera::vgpu {
bool readTensorMap(const u8 *bytes, TensorMap &map) {
  u32 head[4];
  std::memcpy(head, bytes, 16);
  if (head[0] != 0x50414d54)
    return false;
  constexpr u32 sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  map.rank = head[1] & 255;
  map.type = head[1] >> 8 & 255;
  map.swizzle = head[1] >> 16 & 255;
  map.fillNan = head[1] >> 24;
  if (map.rank < 1 || map.rank > 5 || map.type > 12 || map.swizzle > 3)
    return false;
  map.elementBytes = sizes[map.type];
  std::memcpy(&map.address, bytes + 16, 8);
  map.strides[0] = map.elementBytes;
  for (u32 k = 0; k < map.rank; ++k) {
    u32 extent = 0;
    u16 edge = 0;
    std::memcpy(&extent, bytes + 24 + 4 * k, 4);
    std::memcpy(&edge, bytes + 80 + 2 * k, 2);
    map.sizes[k] = u64(extent) + 1;
    map.box[k] = edge;
    map.step[k] = bytes[96 + k];
    if (edge < 1 || edge > 256 || map.step[k] < 1 || map.step[k] > 8)
      return false; // not what the driver wrote: a box of any size could follow
    if (k + 1 < map.rank)
      std::memcpy(&map.strides[k + 1], bytes + 48 + 8 * k, 8);
  }
  return map.boxBytes() <= 1 << 20; // no block has so much shared memory
}

namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

} // namespace

static Block *blockOf(Warp &w, u32 lane, u32 address, u64 bytes) {
  u32 rank = address >> clusterShift, offset = address & ((1u << clusterShift) - 1);
  if (rank > w.block->cluster.size()) {
    w.fail(Fault::bounds, lane, address, "shared memory of a block that the cluster does not have");
    return nullptr;
  }
  Block *block = rank ? w.block->cluster[rank - 1] : w.block;
  if (offset + bytes > block->shared.size()) {
    w.fail(Fault::bounds, lane, address,
           "a copy of " + std::to_string(bytes) + " bytes at shared offset " + std::to_string(offset) +
               " leaves the block's " + std::to_string(block->shared.size()) + " bytes");
    return nullptr;
  }
  return block;
}

bool deliver(Warp &w, u32 lane, const Delivery &to, const std::function<void(Block &, u32)> &write) {
  u32 offset = to.address & ((1u << clusterShift) - 1);
  auto one = [&](u32 address, u32 mbarrier) {
    Block *block = blockOf(w, lane, address, to.bytes), *owner = nullptr;
    if (!block)
      return false;
    SharedUse use = to.reduces ? (to.asyncProxy ? SharedUse::beginReduceAsync : SharedUse::beginReduce)
                               : (to.asyncProxy ? SharedUse::beginAsync : SharedUse::beginCopy);
    if (!checkShared(w, *block, lane, offset, to.bytes, use))
      return false;
    Mbarrier *m = mbarrierAt(w, lane, mbarrier, owner);
    if (!m)
      return false;
    write(*block, offset);
    return completeCopy(w, lane, *m, *owner, offset, to.bytes, !to.asyncProxy);
  };
  if (to.multicast == 0)
    return one(to.address, to.barrier);
  u32 low = to.barrier & ((1u << clusterShift) - 1);
  for (u32 r = 0; r < w.block->cluster.size(); ++r)
    if ((to.multicast >> r & 1) && !one((r + 1) << clusterShift | offset, (r + 1) << clusterShift | low))
      return false;
  return true;
}

namespace {
u64 laneAddress(const Warp &w, u32 plane, bool wide, s64 offset, u32 lane) {
  return wide ? w.in<u64>(plane)[lane] + u64(offset) : u32(w.in<u32>(plane)[lane] + u32(offset));
}

// A copy out of shared memory: it reads until its bulk group has been waited for.
void readInBulk(Warp &w, u32 lane, Block &block, u32 offset, u32 bytes) {
  joinGroup(w, Wait::bulk, copyTime(w, *w.block, bytes));
  if (!w.launch->options.checkShared)
    return;
  w.bulkReads.push_back({lane, w.bulkOpen[lane], offset, bytes, &block});
  block.countReads(offset, bytes, 1);
}

void runBulkCommit(Warp &w, const Op &) {
  commitGroup(w, Wait::bulk);
  for (u32 l = 0; l < lanes; ++l)
    w.bulkOpen[l] += w.mask >> l & 1;
}

// op.imm: groups that may stay open. The data has been read and written when it returns, or, with .read, been read.
void runBulkWait(Warp &w, const Op &op) {
  waitGroups(w, Wait::bulk, u64(op.imm));
  size_t kept = 0;
  for (const Warp::BulkRead &read : w.bulkReads) {
    if (!(w.mask >> read.lane & 1) || read.group + u64(op.imm) >= w.bulkOpen[read.lane]) {
      w.bulkReads[kept++] = read;
      continue;
    }
    read.from->countReads(read.offset, read.bytes, -1);
    Shadow &shadow = read.from->shadow;
    if (read.from == w.block)
      for (u32 word = read.offset / 4; word < (read.offset + read.bytes) / 4; ++word)
        shadow.endRead(word, w.index, w.viewer.now, 1u << read.lane);
  }
  w.bulkReads.resize(kept);
}

void countBytes(Warp &w, u64 bytes) {
  OpCount &count = w.worker->counts[w.pc - 1];
  count.sectors += (bytes + 31) / 32;
  count.idealSectors += (bytes + 31) / 32;
  count.bytes += bytes;
}

// more: [0] mbarrier plane, [1] its offset, [2] wide, [3] multicast plane or nowhere.
// op.a/op.imm destination, op.b/op.y source, op.c size plane; op.flag: bit 0 wide destination, bit 1 wide source;
// op.flag2: 0 global to shared, 1 shared to shared, 2 shared to global; op.x: type | kind + 1 << 8 of a reduction.
void runBulk(Warp &w, const Op &op) {
  Reduce reduce = op.x ? reductionOf(Type(op.x & 255), u8((op.x >> 8) - 1)) : nullptr;
  u32 element = op.x ? bytesOf(Type(op.x & 255)) : 1;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    u64 to = laneAddress(w, op.a, op.flag & 1, op.imm, l), from = laneAddress(w, op.b, op.flag & 2, s32(op.y), l);
    u32 bytes = w.in<u32>(op.c)[l];
    if ((to | from | bytes) & 15)
      return w.fail(Fault::misaligned, l, to | from, "a bulk copy's addresses and size are multiples of 16");
    if (bytes == 0)
      continue;
    countBytes(w, bytes);
    if (op.flag2 == 2) {
      u32 source = u32(from) & ((1u << clusterShift) - 1);
      Block *block = blockOf(w, l, u32(from), bytes);
      if (!block || !checkShared(w, *block, l, source, bytes, SharedUse::readAsync))
        return;
      u8 *at = globalBytes(w, l, to, bytes, true);
      if (!at)
        return;
      const u8 *data = block->shared.data() + source;
      if (!reduce)
        std::memcpy(at, data, bytes);
      for (u32 e = 0; reduce && e < bytes; e += element)
        reduce(at + e, data + e);
      readInBulk(w, l, *block, source, bytes);
      continue;
    }
    const u8 *data = nullptr;
    if (op.flag2 == 0) {
      data = globalBytes(w, l, from, bytes, false);
    } else if (Block *block = blockOf(w, l, u32(from), bytes)) {
      u32 source = u32(from) & ((1u << clusterShift) - 1);
      if (checkShared(w, *block, l, source, bytes, SharedUse::readAsync))
        data = block->shared.data() + source;
    }
    if (!data)
      return;
    auto barrier = u32(laneAddress(w, op.more[0], op.more[2], s32(op.more[1]), l));
    u32 multicast = op.more[3] == nowhere ? 0 : w.in<u32>(op.more[3])[l] & 0xffff;
    if (!deliver(w, l, {u32(to), barrier, bytes, multicast, reduce != nullptr}, [&](Block &block, u32 offset) {
          u8 *at = block.shared.data() + offset;
          if (!reduce)
            std::memcpy(at, data, bytes);
          for (u32 e = 0; reduce && e < bytes; e += element)
            reduce(at + e, data + e);
        }))
      return;
  }
}

// Walks the box at `start`: f(offset in the dense box, global address or 0 when outside).
template <class F> void eachRow(const TensorMap &map, const s32 *start, F f) {
  u32 dense = 0;
  u32 i[5] = {};
  u64 rows = u64(map.box[1]) * map.box[2] * map.box[3] * map.box[4];
  for (u64 r = 0; r < rows; ++r) {
    bool inside = true;
    u64 address = map.address;
    for (u32 k = 1; k < map.rank; ++k) {
      s64 at = s64(start[k]) + i[k];
      inside &= at >= 0 && u64(at) < map.sizes[k];
      address += u64(at) * map.strides[k];
    }
    f(dense, inside, address);
    dense += map.box[0] * map.elementBytes;
    for (u32 k = 1; k < 5; ++k) {
      if (++i[k] < map.box[k])
        break;
      i[k] = 0;
    }
  }
}

bool tensorMapAt(Warp &w, u32 lane, u64 address, u32 rank, TensorMap &map) {
  const u8 *bytes = nullptr;
  if (address >> 32 == paramWindow >> 32) {
    u64 offset = address & 0xffffffff;
    if (offset + 128 <= w.launch->parameters.size())
      bytes = w.launch->parameters.data() + offset;
  } else {
    bytes = globalBytes(w, lane, address, 128, false);
    if (!bytes)
      return false;
  }
  if (!bytes || !readTensorMap(bytes, map) || map.rank != rank) {
    w.fail(Fault::illegal, lane, address, "there is no tensor map of this rank at the address");
    return false;
  }
  for (u32 k = 0; k < rank; ++k)
    if (map.step[k] != 1) {
      w.fail(Fault::illegal, lane, address, "element strides other than 1 are not supported");
      return false;
    }
  return true;
}

// The reduction of a tensor map's element type (CUtensorMapDataType), where it has one.
Reduce reduceAs(u32 type, u8 kind) {
  constexpr Type types[] = {Type::none, Type::none, Type::u32,  Type::s32, Type::u64,  Type::s64, Type::f16,
                            Type::f32,  Type::none, Type::bf16, Type::f32, Type::none, Type::none};
  return type < std::size(types) && types[type] != Type::none ? reductionOf(types[type], kind) : nullptr;
}

// op.a/op.imm: tensor map; op.b/op.y: shared address; op.x: rank; op.flag2: 0 load, 1 store, 2 reduce by op.count;
// more: mbarrier plane, offset, wide, multicast, then coordinates.
void runTensor(Warp &w, const Op &op) {
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    TensorMap map;
    if (!tensorMapAt(w, l, laneAddress(w, op.a, op.flag & 1, op.imm, l), op.x, map))
      return;
    s32 start[5] = {};
    for (u32 k = 0; k < op.x; ++k)
      start[k] = s32(w.in<u32>(op.more[4 + k])[l]);
    auto shared = u32(laneAddress(w, op.b, op.flag & 2, s32(op.y), l));
    u32 alignment = 128;
    if (shared & (alignment - 1))
      return w.fail(Fault::misaligned, l, shared, "a tensor copy's shared address is a multiple of 128");
    auto bytes = u32(map.boxBytes()), size = map.elementBytes;
    countBytes(w, bytes);
    // Elements of a row that are inside: [first, last).
    s64 first = std::clamp<s64>(-s64(start[0]), 0, map.box[0]);
    s64 last = std::clamp<s64>(s64(map.sizes[0]) - start[0], first, map.box[0]);
    bool fine = true;
    if (op.flag2 == 0) {
      std::vector<u8> box(bytes, 0);
      if (map.fillNan)
        for (u32 k = 0; k + 1 < bytes; k += 2)
          box[k] = 0xff, box[k + 1] = size == 2 || (k & 2) ? 0x7f : 0xff;
      eachRow(map, start, [&](u32 dense, bool inside, u64 address) {
        if (!fine || !inside || first == last)
          return;
        const u8 *from = globalBytes(w, l, address + u64(start[0] + first) * size, u64(last - first) * size, false);
        if (from)
          std::memcpy(&box[dense + u64(first) * size], from, u64(last - first) * size);
        fine &= from != nullptr;
      });
      if (!fine)
        return;
      auto barrier = u32(laneAddress(w, op.more[0], op.more[2], s32(op.more[1]), l));
      u32 multicast = op.more[3] == nowhere ? 0 : w.in<u32>(op.more[3])[l] & 0xffff;
      if (!deliver(w, l, {shared, barrier, bytes, multicast}, [&](Block &block, u32 offset) {
            // Whole 16-byte chunks move under the swizzle.
            for (u32 at = 0; at < bytes; at += 16) {
              u32 to = swizzled(offset + at, map.swizzle);
              std::memcpy(block.shared.data() + to, &box[at], 16);
            }
          }))
        return;
      continue;
    }
    Block *block = blockOf(w, l, shared, bytes);
    shared &= (1u << clusterShift) - 1;
    Reduce reduce = op.flag2 == 1 ? nullptr : reduceAs(map.type, op.count);
    if (op.flag2 != 1 && !reduce)
      return w.fail(Fault::illegal, l, shared, "the tensor's elements have no such reduction");
    if (!block || !checkShared(w, *block, l, shared, bytes, SharedUse::readAsync))
      return;
    eachRow(map, start, [&](u32 dense, bool inside, u64 address) {
      if (!fine || !inside || first == last)
        return;
      u8 *to = globalBytes(w, l, address + u64(start[0] + first) * size, u64(last - first) * size, true);
      fine &= to != nullptr;
      for (s64 e = first; fine && e < last; ++e) {
        u32 at = swizzled(shared + dense + u32(e) * size, map.swizzle);
        u8 *cell = to + u64(e - first) * size;
        if (op.flag2 == 1) {
          std::memcpy(cell, block->shared.data() + at, size);
        } else {
          reduce(cell, block->shared.data() + at);
        }
      }
    });
    if (!fine)
      return;
    readInBulk(w, l, *block, shared, bytes);
  }
}

void place(Decoder &d, const Operand &o, Space space, uint32_t &plane, u32 &offset, u32 &wide) {
  Decoder::Address a = d.address(o, space);
  plane = a.plane;
  offset = u32(a.offset);
  wide = a.wide;
}

void barrierOf(Decoder &d, const Instruction &i, size_t at, Op &op) {
  u32 plane = 0, offset = 0, wide = 0;
  place(d, i.operands[at], Space::shared, plane, offset, wide);
  op.more = {plane, offset, wide, nowhere};
  if (i.has("multicast::cluster") && i.operands.size() > at + 1)
    op.more[3] = d.in(i.operands[at + 1], Type::u16);
}

bool bulk(Decoder &d, const Instruction &i, Op &op) {
  std::vector<Space> spaces;
  for (std::string_view m : i.modifiers)
    if (auto s = ptx::spaceNamed(m))
      spaces.push_back(*s);
  if (spaces.size() != 2)
    return false;
  if (i.opcode == "cp.reduce.async.bulk") {
    u8 kind = reductionKind(i);
    if (!reductionOf(i.type(), kind) || spaces[1] != Space::shared)
      return d.refuse("this reduction of this type does not exist");
    op.x = u32(i.type()) | u32(kind + 1) << 8;
    d.program.usesAtomics |= info(i.type()).kind == 'f'; // their order shows
  }
  bool toGlobal = spaces[0] == Space::global;
  op.flag2 = toGlobal ? 2 : spaces[1] == Space::global ? 0 : 1;
  Decoder::Address to = d.address(i.operands[0], spaces[0]), from = d.address(i.operands[1], spaces[1]);
  op.a = to.plane, op.imm = to.offset;
  op.b = from.plane, op.y = u32(from.offset);
  op.flag = u8(to.wide | from.wide << 1);
  op.c = d.in(i.operands[2], Type::u32);
  op.pipe = Pipe::global;
  op.run = runBulk;
  if (!toGlobal) {
    if (i.operands.size() < 4)
      return d.refuse("needs an mbarrier");
    barrierOf(d, i, 3, op);
  }
  return d.ok();
}

bool tensor(Decoder &d, const Instruction &i, Op &op) {
  for (char c = '1'; c <= '5'; ++c)
    if (i.has(std::string{c, 'd'}))
      op.x = u32(c - '0');
  if (!op.x)
    return d.refuse("needs a number of dimensions");
  bool reduce = i.opcode.starts_with("cp.reduce"), load = !reduce && !i.has("bulk_group");
  if (reduce) {
    op.count = reductionKind(i);
    if (op.count == 0xff)
      return d.refuse("names no reduction");
    d.program.usesAtomics = true;
  }
  const Operand &map = i.operands[load ? 1 : 0], &shared = i.operands[load ? 0 : 1];
  op.flag2 = load ? 0 : reduce ? 2 : 1;
  Decoder::Address m = d.address(map, Space::generic), s = d.address(shared, Space::shared);
  op.a = m.plane, op.imm = m.offset;
  op.b = s.plane, op.y = u32(s.offset);
  op.flag = u8(m.wide | s.wide << 1);
  op.pipe = Pipe::global;
  op.run = runTensor;
  if (load) {
    if (i.operands.size() < 3)
      return d.refuse("needs an mbarrier");
    barrierOf(d, i, 2, op);
  } else {
    op.more.assign(4, nowhere);
  }
  if (map.elements.size() != 1 || map.elements[0].elements.size() != op.x)
    return d.refuse("the number of coordinates is not that of the dimensions");
  for (const Operand &c : map.elements[0].elements)
    op.more.push_back(d.in(c, Type::s32));
  return d.ok();
}

void runNothing(Warp &, const Op &) {}
bool nothing(Decoder &, const Instruction &, Op &op) {
  op.run = runNothing;
  op.pipe = Pipe::sync;
  return true;
}
} // namespace

void addBulkOps(OpTable &table) {
  table["cp.async.bulk"] = bulk;
  table["cp.async.bulk.tensor"] = tensor;
  table["cp.reduce.async.bulk"] = bulk;
  table["cp.reduce.async.bulk.tensor"] = tensor;
  for (std::string_view name : {"cp.async.bulk.prefetch", "cp.async.bulk.prefetch.tensor"})
    table[name] = nothing;
  table["cp.async.bulk.commit_group"] = [](Decoder &d, const Instruction &i, Op &op) {
    nothing(d, i, op);
    op.run = runBulkCommit;
    return true;
  };
  table["cp.async.bulk.wait_group"] = [](Decoder &d, const Instruction &i, Op &op) {
    nothing(d, i, op);
    op.run = runBulkWait;
    return d.immediate(i.operands[0], op.imm) && op.imm >= 0;
  };
}

} // namespace tessera::vgpu

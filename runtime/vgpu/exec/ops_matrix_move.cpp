// ldmatrix, stmatrix, movmatrix (ISA 9.7.14.5): 8 x 8 tiles of 16-bit elements between shared memory and a warp.
// In a register of the warp, lane l = 4g + t holds row g, columns 2t and 2t + 1.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/families.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

void transpose(u16 (&tile)[8][8]) {
  for (u32 r = 0; r < 8; ++r)
    for (u32 c = r + 1; c < 8; ++c)
      std::swap(tile[r][c], tile[c][r]);
}

// Row r of matrix j is the 16 bytes at the address of lane 8j + r. op.count: matrices; op.flag2: transposed.
bool rows(Warp &w, const Op &op, Access &x, bool write) {
  if (!w.converge(w.alive()))
    return false;
  x.mask = op.y == 4 ? allLanes : (1u << 8 * op.y) - 1;
  if ((w.mask & x.mask) != x.mask) {
    w.fail(Fault::divergent, u32(std::countr_zero(x.mask & ~w.mask)), 0,
           "a lane whose address is needed does not take part");
    return false;
  }
  x.bytes = 16;
  x.write = write;
  x.read = !write;
  gatherAddresses(w, op, x);
  Op wide;
  wide.bytes = 16;
  return resolve(w, wide, Space(op.x), x);
}

void runLoadMatrix(Warp &w, const Op &op) {
  Access x;
  if (!rows(w, op, x, false))
    return;
  for (u32 j = 0; j < op.y; ++j) {
    alignas(64) u16 tile[8][8];
    for (u32 r = 0; r < 8; ++r)
      std::memcpy(tile[r], x.at[8 * j + r], 16);
    if (op.flag2)
      transpose(tile);
    w.put(op.more[j], reinterpret_cast<const u32 *>(tile));
  }
}

void runStoreMatrix(Warp &w, const Op &op) {
  Access x;
  if (!rows(w, op, x, true))
    return;
  for (u32 j = 0; j < op.y; ++j) {
    u16 tile[8][8];
    std::memcpy(tile, w.in<u32>(op.more[j]), 128);
    if (op.flag2)
      transpose(tile);
    for (u32 r = 0; r < 8; ++r)
      std::memcpy(x.at[8 * j + r], tile[r], 16);
  }
}

void runMoveMatrix(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  alignas(64) u16 tile[8][8];
  std::memcpy(tile, w.in<u32>(op.a), 128);
  transpose(tile);
  w.put(op.d, reinterpret_cast<const u32 *>(tile));
}

template <bool load> bool matrix(Decoder &d, const Instruction &i, Op &op) {
  if (i.type() != Type::b16 || !i.has("m8n8"))
    return false;
  Decoder::Address a = d.address(i.operands[load ? 1 : 0], i.space());
  op.a = a.plane;
  op.flag = a.wide;
  op.imm = a.offset;
  op.x = u32(a.space);
  op.y = i.has("x4") ? 4 : i.has("x2") ? 2 : 1;
  op.flag2 = i.has("trans");
  op.pipe = Pipe::shared;
  const Operand &data = i.operands[load ? 0 : 1];
  size_t n = data.kind == Operand::Kind::vector ? data.elements.size() : 1;
  if (n != op.y)
    return d.refuse("needs as many registers as matrices");
  for (u32 k = 0; k < op.y; ++k) {
    const Operand &e = data.kind == Operand::Kind::vector ? data.elements[k] : data;
    op.more.push_back(load ? d.out(e, Type::b32) : d.in(e, Type::b32));
  }
  op.run = load ? runLoadMatrix : runStoreMatrix;
  return d.ok();
}
} // namespace

void addMatrixMoveOps(OpTable &table) {
  table["ldmatrix"] = matrix<true>;
  table["stmatrix"] = matrix<false>;
  table["movmatrix"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runMoveMatrix;
    op.pipe = Pipe::shared;
    op.a = d.in(i.operands[1], Type::b32);
    op.d = d.out(i.operands[0], Type::b32);
    return d.ok();
  };
}

} // namespace tessera::vgpu

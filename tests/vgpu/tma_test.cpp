// Tensor copies (ISA 5.5, 9.7.9.25.5): tiles of one to five dimensions in and out, edges cut off, swizzles as the
// tables of 5.5.7 give them, reductions into global memory.
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cstring>
#include <random>

namespace {

struct alignas(64) Map {
  char bytes[128];
};
struct Tensor {
  int type, bytes; // CUtensorMapDataType and the size of an element
  std::vector<uint64_t> sizes;
  std::vector<uint32_t> box;
  uint64_t count() const {
    uint64_t n = 1;
    for (uint64_t s : sizes)
      n *= s;
    return n;
  }
  uint64_t boxCount() const {
    uint64_t n = 1;
    for (uint32_t b : box)
      n *= b;
    return n;
  }
};

class Tma : public VirtualGpu {
protected:
  Map encode(const Tensor &t, CUdeviceptr at, int swizzle, int fill = 0) {
    Map map;
    std::vector<uint64_t> strides;
    uint64_t stride = uint64_t(t.bytes);
    for (size_t k = 0; k + 1 < t.sizes.size(); ++k)
      strides.push_back(stride = stride * t.sizes[k]);
    std::vector<uint32_t> steps(t.sizes.size(), 1);
    EXPECT_EQ(cuTensorMapEncodeTiled(&map, t.type, unsigned(t.sizes.size()), reinterpret_cast<void *>(at),
                                     t.sizes.data(), strides.data(), t.box.data(), steps.data(), 0, swizzle, 0, fill),
              0);
    return map;
  }
  static std::string at(const char *map, const std::vector<int> &start) {
    std::string s = std::string("[") + map + ", {";
    for (size_t k = 0; k < start.size(); ++k)
      s += (k ? "," : "") + std::to_string(start[k]);
    return s + "}]";
  }
  // Loads the box at `from` into shared memory, copies its raw bytes to `raw`, and stores (or reduces) it at `to` of
  // the second tensor.
  void move(const Tensor &t, const Map &in, const std::vector<int> &from, const Map &out, const std::vector<int> &to,
            CUdeviceptr raw, const std::string &reduction = "") {
    std::string d = std::to_string(t.sizes.size()) + "d", bytes = std::to_string(t.boxCount() * uint64_t(t.bytes));
    std::string text =
        ".version 8.7\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .align 64 .b8 in[128], .param .align "
        "64 .b8 out[128], .param .u64 "
        "raw)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .b64 %rd<8>;\n.shared .align 1024 .b8 sm[32768];\n.shared "
        ".align 8 .b64 bar;\n"
        "mov.b64 %rd1, in; cvta.param.u64 %rd1, %rd1;\nmov.b64 %rd2, out; cvta.param.u64 %rd2, %rd2;\nld.param.u64 "
        "%rd3, [raw];\n"
        "mov.u32 %r1, %tid.x;\nmov.u32 %r2, sm;\nmov.u32 %r3, bar;\nsetp.ne.u32 %p1, %r1, 0;\n@%p1 bra READY;\n"
        "mbarrier.init.shared::cta.b64 [%r3], "
        "1;\nfence.mbarrier_init.release.cluster;\nmbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], " +
        bytes + ";\ncp.async.bulk.tensor." + d + ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r2], " +
        at("%rd1", from) +
        ", [%r3];\nREADY: bar.sync 0;\nWAIT: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0;\n@!%p2 bra WAIT;\n"
        "mov.u32 %r4, %r1;\nCOPY: setp.ge.u32 %p3, %r4, " +
        bytes +
        ";\n@%p3 bra COPIED;\nadd.u32 %r5, %r2, %r4;\nld.shared.u8 %r6, [%r5];\ncvt.u64.u32 %rd4, %r4;\nadd.u64 %rd4, "
        "%rd3, "
        "%rd4;\nst.global.u8 [%rd4], %r6;\nadd.u32 %r4, %r4, 128;\nbra COPY;\nCOPIED: bar.sync 0;\n@%p1 ret;\n" +
        (reduction.empty()
             ? "cp.async.bulk.tensor." + d + ".global.shared::cta.tile.bulk_group "
             : "cp.reduce.async.bulk.tensor." + d + ".global.shared::cta." + reduction + ".tile.bulk_group ") +
        at("%rd2", to) + ", [%r2];\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\nret;\n}\n";
    void *module = loadText(text);
    ASSERT_TRUE(module);
    ASSERT_EQ(launch(function(module, "k"), {1}, {128}, 0, in, out, raw), 0) << findings() << text;
    cuModuleUnload(module);
  }
  // f(dense index in the box, index in the tensor or -1 when that place is outside)
  template <class F> static void each(const Tensor &t, const std::vector<int> &start, F f) {
    std::vector<uint32_t> i(t.box.size());
    for (uint64_t n = 0; n < t.boxCount(); ++n) {
      int64_t index = 0, stride = 1;
      bool inside = true;
      for (size_t k = 0; k < i.size(); ++k) {
        int64_t x = start[k] + int64_t(i[k]);
        inside &= x >= 0 && x < int64_t(t.sizes[k]);
        index += x * stride;
        stride *= int64_t(t.sizes[k]);
      }
      f(n, inside ? index : -1);
      for (size_t k = 0; k < i.size() && ++i[k] == t.box[k]; ++k)
        i[k] = 0;
    }
  }
};

TEST_F(Tma, EveryRank) {
  const Tensor tensors[] = {{7, 4, {100}, {64}},
                            {6, 2, {48, 9}, {16, 5}},
                            {0, 1, {64, 7, 5}, {32, 3, 4}},
                            {4, 8, {10, 6, 5, 4}, {4, 3, 2, 3}},
                            {9, 2, {24, 5, 4, 3, 4}, {8, 2, 3, 2, 3}}};
  for (const Tensor &t : tensors)
    for (int corner = 0; corner < 4; ++corner) {
      size_t rank = t.sizes.size();
      std::vector<int> from(rank), to(rank);
      for (size_t k = 0; k < rank; ++k) { // in the middle, over the low and over the high edges
        from[k] = corner == 0 ? 1 : corner == 1 ? -1 - int(k % 2) : corner == 2 ? int(t.sizes[k]) - 2 : int(k);
        to[k] = corner == 0 ? 0 : corner == 1 ? int(t.sizes[k]) - 3 : corner == 2 ? -2 : 1;
      }
      std::vector<uint8_t> data(t.count() * uint64_t(t.bytes));
      std::mt19937 generator(5);
      for (uint8_t &b : data)
        b = uint8_t(generator());
      auto in = upload(data), out = zeros<uint8_t>(data.size()), raw = zeros<uint8_t>(t.boxCount() * uint64_t(t.bytes));
      move(t, encode(t, in, 0), from, encode(t, out, 0), to, raw);
      auto tile = download<uint8_t>(raw, t.boxCount() * uint64_t(t.bytes)), got = download<uint8_t>(out, data.size());
      std::vector<uint8_t> box(tile.size()), want(data.size());
      each(t, from, [&](uint64_t n, int64_t index) {
        if (index >= 0)
          std::memcpy(&box[n * size_t(t.bytes)], &data[size_t(index) * size_t(t.bytes)], size_t(t.bytes));
      });
      EXPECT_EQ(tile, box) << rank << " dimensions, corner " << corner;
      each(t, to, [&](uint64_t n, int64_t index) {
        if (index >= 0)
          std::memcpy(&want[size_t(index) * size_t(t.bytes)], &box[n * size_t(t.bytes)], size_t(t.bytes));
      });
      EXPECT_EQ(got, want) << rank << " dimensions, corner " << corner;
    }
}

// Where a 16-byte chunk of a row lies: its number is mixed with the number of the row (or of two, or four rows).
TEST_F(Tma, Swizzles) {
  for (int swizzle = 1; swizzle <= 3; ++swizzle) {
    uint32_t span = 16u << swizzle, rows = 32;
    Tensor t{2, 4, {span / 4, rows}, {span / 4, rows}};
    std::vector<uint32_t> data(t.count());
    for (size_t i = 0; i < data.size(); ++i)
      data[i] = uint32_t(i);
    auto in = upload(data), out = zeros<uint32_t>(data.size()), raw = zeros<uint32_t>(data.size());
    move(t, encode(t, in, swizzle), {0, 0}, encode(t, out, swizzle), {0, 0}, raw);
    auto tile = download<uint32_t>(raw, data.size());
    for (uint32_t r = 0; r < rows; ++r)
      for (uint32_t c = 0; c < span / 16; ++c) {
        uint32_t mixed = swizzle == 3 ? c ^ (r % 8) : swizzle == 2 ? c ^ (r / 2 % 4) : c ^ (r / 4 % 2);
        for (uint32_t e = 0; e < 4; ++e)
          ASSERT_EQ(tile[r * span / 4 + mixed * 4 + e], r * span / 4 + c * 4 + e)
              << span << " bytes, row " << r << " chunk " << c;
      }
    EXPECT_EQ(download<uint32_t>(out, data.size()), data); // and back
  }
}

TEST_F(Tma, FillsWithNaN) {
  Tensor t{7, 4, {8, 4}, {8, 4}};
  std::vector<float> data(32, 2.0f);
  auto in = upload(data), out = zeros<float>(32), raw = zeros<float>(32);
  move(t, encode(t, in, 0, 1), {4, 1}, encode(t, out, 0), {0, 0}, raw);
  auto tile = download<float>(raw, 32);
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 8; ++c)
      ASSERT_EQ(std::isnan(tile[size_t(r * 8 + c)]), r == 3 || c >= 4) << r << " " << c;
}

TEST_F(Tma, Reductions) {
  struct Case {
    int type;
    const char *name;
  };
  for (Case c : {Case{2, "add"}, Case{2, "min"}, Case{2, "max"}, Case{2, "inc"}, Case{2, "dec"}, Case{2, "and"},
                 Case{2, "or"}, Case{2, "xor"}, Case{3, "min"}, Case{3, "max"}, Case{7, "add"}}) {
    Tensor t{c.type, 4, {12, 6}, {8, 4}};
    std::vector<uint32_t> a(72), b(72);
    for (size_t i = 0; i < 72; ++i) {
      a[i] = c.type == 7 ? std::bit_cast<uint32_t>(float(i)) : uint32_t(i * 7 - 100);
      b[i] = c.type == 7 ? std::bit_cast<uint32_t>(float(i) * 0.5f) : uint32_t(i * i - 50);
    }
    auto in = upload(a), out = upload(b), raw = zeros<uint32_t>(32);
    move(t, encode(t, in, 0), {1, 1}, encode(t, out, 0), {6, 3}, raw, c.name);
    auto tile = download<uint32_t>(raw, 32), got = download<uint32_t>(out, 72);
    std::vector<uint32_t> want = b;
    std::string op = c.name;
    each(t, {6, 3}, [&](uint64_t n, int64_t index) {
      if (index < 0)
        return;
      uint32_t &o = want[size_t(index)], v = tile[n];
      if (c.type == 7)
        o = std::bit_cast<uint32_t>(std::bit_cast<float>(o) + std::bit_cast<float>(v));
      else if (c.type == 3)
        o = uint32_t(op == "min" ? std::min(int32_t(o), int32_t(v)) : std::max(int32_t(o), int32_t(v)));
      else
        o = op == "add"   ? o + v
            : op == "min" ? std::min(o, v)
            : op == "max" ? std::max(o, v)
            : op == "inc" ? (o >= v ? 0 : o + 1)
            : op == "dec" ? (o == 0 || o > v ? v : o - 1)
            : op == "and" ? o & v
            : op == "or"  ? o | v
                          : o ^ v;
    });
    EXPECT_EQ(got, want) << c.name << " of type " << c.type;
  }
}

TEST_F(Tma, AReductionThatTheTypeLacksIsReported) {
  Tensor t{7, 4, {12, 6}, {8, 4}};
  auto in = zeros<float>(72), out = zeros<float>(72), raw = zeros<float>(32);
  Map a = encode(t, in, 0), b = encode(t, out, 0);
  std::string text =
      ".version 8.7\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .align 64 .b8 out[128])\n{\n.reg .b32 "
      "%r<3>;\n"
      ".reg .b64 %rd<3>;\n.shared .align 1024 .b8 sm[128];\nmov.b64 %rd1, out; cvta.param.u64 %rd1, %rd1;\nmov.u32 "
      "%r1, sm;\n"
      "cp.reduce.async.bulk.tensor.2d.global.shared::cta.xor.tile.bulk_group [%rd1, {0, 0}], [%r1];\nret;\n}\n";
  (void)a, (void)raw;
  EXPECT_NE(launch(function(loadText(text), "k"), {1}, {1}, 0, b), 0);
  EXPECT_NE(findings().find("no such reduction"), std::string::npos) << findings();
}

// An epilogue: two warps write a box of 8 x 8 f32, a thread lets the copy engine take it, and they write it anew.
// Each line that orders these is needed.
class TmaStore : public Tma {
protected:
  static constexpr const char *fence = "fence.proxy.async.shared::cta;\n";
  static constexpr const char *written = "bar.sync 0; // written\n";
  static constexpr const char *read = "cp.async.bulk.wait_group.read 0; // before the buffer is written anew\n";
  static constexpr const char *known = "bar.sync 0; // all know\n";
  static constexpr const char *end = "cp.async.bulk.wait_group.read 0; // before the end\n";

  // Runs it without the line `missing`, or stored from `offset` bytes behind the buffer: the findings.
  std::string run(std::string_view missing, int offset = 0) {
    auto out = zeros<float>(128);
    Map map = encode({7, 4, {16, 8}, {8, 8}}, out, 0);
    std::string store = "@!%p1 cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd1, {0, 0}], [%r2+" +
                        std::to_string(offset) + "];\n@!%p1 cp.async.bulk.commit_group;\n";
    std::string text =
        ".version 8.7\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .align 64 .b8 out[128])\n{\n"
        ".reg .pred %p<2>;\n.reg .b32 %r<5>;\n.reg .b64 %rd<2>;\n.shared .align 1024 .b8 sm[1024];\n"
        "mov.b64 %rd1, out; cvta.param.u64 %rd1, %rd1;\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, sm;\nsetp.ne.u32 %p1, %r1, "
        "0;\nshl.b32 %r3, %r1, 2;\nadd.u32 %r3, %r2, %r3;\nst.shared.u32 [%r3], %r1;\n";
    for (std::string_view line : {fence, written, store.c_str(), read, known, "st.shared.u32 [%r3], %r2;\n", fence,
                                  written, store.c_str(), end, "ret;\n}\n"})
      if (line != missing)
        text += line;
    void *module = loadText(text);
    launch(function(module, "k"), {1}, {64}, 0, map);
    return findings();
  }
};

TEST_F(TmaStore, NothingIsMissing) { EXPECT_EQ(run(""), ""); }
TEST_F(TmaStore, WhatThreadsWroteIsFenced) {
  EXPECT_NE(run(fence).find("fence.proxy.async is missing"), std::string::npos) << findings();
}
TEST_F(TmaStore, TheThreadsMeetBeforeOneStores) {
  EXPECT_NE(run(written).find("race"), std::string::npos) << findings();
}
TEST_F(TmaStore, TheBufferIsReadBeforeItIsWrittenAnew) {
  EXPECT_NE(run(read).find("wait_group.read is missing"), std::string::npos) << findings();
}
TEST_F(TmaStore, TheOthersKnowThatItIsRead) { EXPECT_NE(run(known).find("race"), std::string::npos) << findings(); }
TEST_F(TmaStore, SharedMemoryStaysUntilItIsRead) {
  EXPECT_NE(run(end).find("the thread ends while its bulk copy"), std::string::npos) << findings();
}
TEST_F(TmaStore, TheBufferIsInTheBlocksMemory) {
  EXPECT_NE(run("", 1024).find("leaves the block's"), std::string::npos) << findings();
}

} // namespace

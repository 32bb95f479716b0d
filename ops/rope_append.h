// RopeAppend: between the joined q, k, v product and attention: norms of heads, rotation, and the paged cache's new
// slots.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// qkv f32 [T, heads + 2 kvHeads, headDim] (queries, then keys, then values), slots i32 [T], pos i32 [T], cos and sin
// f32 [P, rotaryDim/2]; then, if norms, qNorm and kNorm f32 [headDim] and eps f32; q out f32 [T, heads, headDim]; K, V
// inOut as KvAppend has them. The bits are those of RmsNorm over every query and key head (if norms), Rope over both
// and KvAppend, one after the other. Slots and positions are not checked.
struct RopeAppend {
  static constexpr std::string_view name = "rope_append";
  int heads = 9, kvHeads = 3, headDim = 64, rotaryDim = 64;
  bool interleaved = false, norms = false;
  int pageSize = 16;
  DType cache = f16;
  bool keyColumns = false;

  struct Config {
    int bh = 1;   // kv heads a program owns, with their queries; divides kvHeads
    int bd = 32;  // pairs a step turns
    int bn = 128; // columns a step of a norm takes
    template <class F> void fields(F &&f) { f("bh", bh), f("bd", bd), f("bn", bn); }
  };
  // A CPU's program takes a whole token: decoding then needs no second thread.
  Config defaultConfig(const Target &target) const {
    bool cpu = target.vendor == Vendor::cpu;
    return {.bh = cpu ? kvHeads : 1, .bd = std::min(rotaryDim / 2, 64), .bn = stepAlongRows(target, 8)};
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f16, f32, bf16};
  static Sizes sizes();
  static RopeAppend of(DType dtype, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops

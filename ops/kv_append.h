// KvAppend: writes new keys and values into their slots of the paged cache.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// k, v f32 [T, kvHeads, headDim], slots i32 [T] (page · pageSize + offset, not checked),
// K, V inOut of `cache` [pages, kvHeads, pageSize, headDim]; keyColumns: K is [pages, kvHeads, headDim, pageSize].
struct KvAppend {
  static constexpr std::string_view name = "kv_append";
  int kvHeads = 3, headDim = 64, pageSize = 16;
  DType cache = f16;
  bool keyColumns = false;

  struct Config {};
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f16, f32, bf16};
  static Sizes sizes() {
    return {{"T", 64}, {"pages", 128}, {"kvHeads", 3}, {"headDim", 64}, {"pageSize", 16}, {"keyColumns", 0}};
  }
  static KvAppend of(DType dtype, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops

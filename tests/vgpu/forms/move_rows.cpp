// mov in its forms (ISA 9.7.9.3, 9.7.9.4) and special registers (10).
#include "tests/vgpu/forms/forms.h"

namespace forms {

void moveRows(Table &t) {
  row<u16(u16)>(t, "mov.b16 $d, $a;", [](u16 a) { return a; });
  row<u32(u32)>(t, "mov.b32 $d, $a;", [](u32 a) { return a; });
  row<u64(u64)>(t, "mov.b64 $d, $a;", [](u64 a) { return a; });
  row<float(float)>(t, "mov.f32 $d, $a;", [](float a) { return a; });
  row<double(double)>(t, "mov.f64 $d, $a;", [](double a) { return a; });
  row<bool(bool)>(t, "mov.pred $d, $a;", [](bool a) { return a; });
  row<u32(float)>(t, "mov.b32 $d, $a;", [](float a) { return std::bit_cast<u32>(a); });
  row<float()>(t, "mov.f32 $d, 0f3fc00000;", [] { return 1.5f; });
  row<double()>(t, "mov.f64 $d, 0d3ff8000000000000;", [] { return 1.5; });
  row<float()>(t, "mov.f32 $d, -2.5;", [] { return -2.5f; });
  row<u32()>(t, "mov.u32 $d, 0b1011;", [] { return 11u; });
  row<u32()>(t, "mov.u32 $d, 017;", [] { return 15u; });
  row<u32()>(t, "mov.u32 $d, 0xffU;", [] { return 255u; });
  row<s32()>(t, "mov.s32 $d, -7;", [] { return -7; });
  row<u32()>(t, "mov.u32 $d, WARP_SZ;", [] { return 32u; });
  row<u32(u16, u16)>(t, "mov.b32 $d, {$a, $b};", [](u16 a, u16 b) { return u32(b) << 16 | a; });
  row<u64(u32, u32)>(t, "mov.b64 $d, {$a, $b};", [](u32 a, u32 b) { return u64(b) << 32 | a; });
  row<u64(u16, u16, u16, u16)>(t, "mov.b64 $d, {$a, $b, $c, $e};", [](u16 a, u16 b, u16 c, u16 d) {
    return u64(d) << 48 | u64(c) << 32 | u64(b) << 16 | a;
  });
  row<u16(u32)>(t, "{ .reg .b16 l; mov.b32 {l, $d}, $a; }", [](u32 a) { return u16(a >> 16); });
  row<u16(u32)>(t, "mov.b32 {$d, _}, $a;", [](u32 a) { return u16(a); });
  row<u32(u64)>(t, "{ .reg .b32 l; mov.b64 {l, $d}, $a; }", [](u64 a) { return u32(a >> 32); });
  row<u16(u64)>(t, "mov.b64 {_, _, $d, _}, $a;", [](u64 a) { return u16(a >> 32); });
  row<u64(u64, u64)>(t, "{ .reg .b128 q; .reg .b64 l; mov.b128 q, {$a, $b}; mov.b128 {l, $d}, q; xor.b64 $d, $d, l; }",
                     [](u64 a, u64 b) { return a ^ b; });
  row<u64(u64, u64)>(t, "{ .reg .b128 q, r; mov.b128 q, {$a, $b}; mov.b128 r, q; mov.b128 {_, $d}, r; }",
                     [](u64, u64 b) { return b; });
  row<u32()>(t, "{ .reg .b32 m; mov.u32 $d, %laneid; mov.u32 m, %lanemask_lt; popc.b32 m, m; sub.u32 $d, $d, m; }",
             [] { return 0u; });
  row<u32()>(t, "{ .reg .b32 m, n; mov.u32 m, %lanemask_le; mov.u32 n, %lanemask_gt; xor.b32 $d, m, n; }",
             [] { return ~0u; });
  row<u32()>(
      t,
      "{ .reg .b32 m, n, k; mov.u32 m, %lanemask_ge; mov.u32 n, %lanemask_eq; mov.u32 k, %laneid; shr.u32 m, m, k; "
      "shr.u32 n, n, k; and.b32 $d, m, n; }",
      [] { return 1u; });
  row<u32()>(t, "{ .reg .b32 w, t; mov.u32 w, %warpid; mov.u32 t, %tid.x; shr.u32 t, t, 5; sub.u32 $d, w, t; }",
             [] { return 0u; });
  row<u32()>(t, "mov.u32 $d, %ntid.x;", [] { return 256u; });
  row<u32()>(t, "mov.u32 $d, %nctaid.y;", [] { return 1u; });
  row<u32()>(t, "mov.u32 $d, %ctaid.x;", [] { return 0u; });
  row<u64()>(t, "{ .reg .b64 s, e; mov.u64 s, %clock64; mov.u64 e, %clock64; sub.u64 e, e, s; shr.u64 $d, e, 32; }",
             [] { return u64(0); }); // time goes forward
  row<u64()>(
      t, "{ .reg .b64 s, e; mov.u64 s, %globaltimer; mov.u64 e, %globaltimer; sub.u64 e, e, s; shr.u64 $d, e, 32; }",
      [] { return u64(0); });
  row<u32()>(t, "{ .reg .b32 s, e; mov.u32 s, %clock; mov.u32 e, %clock; sub.u32 e, e, s; shr.u32 $d, e, 30; }",
             [] { return 0u; });
  row<u32()>(t, "mov.u32 $d, %dynamic_smem_size;", [] { return 0u; });
  row<u32()>(t, "{ .reg .pred q; mov.pred q, %is_explicit_cluster; selp.u32 $d, 1, 0, q; }", [] { return 0u; }, 90);
  row<u32()>(t, "mov.u32 $d, %cluster_nctarank;", [] { return 1u; }, 90);
  row<u32()>(t, "mov.u32 $d, %nclusterid.x;", [] { return 1u; }, 90);
}

} // namespace forms

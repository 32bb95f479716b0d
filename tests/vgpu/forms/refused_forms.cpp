// PTX that exists and is refused on every chip, each with its sentence.
#include "tests/vgpu/forms/forms.h"

namespace forms {

const std::vector<Refused> &refusedForms() {
  constexpr const char *texture = "textures", *surface = "surfaces", *video = "video", *later = "sm_100",
                       *sparse = "sparse", *small = "6- and 4-bit";
  static const std::vector<Refused> list{
      {"tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [%rd0, {%f4, %f5}];", texture},
      {"tex.1d.v4.s32.s32 {%r0, %r1, %r2, %r3}, [%rd0, {%r4}];", texture},
      {"tld4.r.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [%rd0, {%f4, %f5}];", texture},
      {"txq.width.b32 %r0, [%rd0];", texture},
      {"istypep.texref %p0, %rd0;", texture},
      {"suld.b.2d.b32.trap %r0, [%rd0, {%r1, %r2}];", surface},
      {"sust.b.2d.b32.trap [%rd0, {%r1, %r2}], %r0;", surface},
      {"sured.b.add.2d.u32.trap [%rd0, {%r1, %r2}], %r0;", surface},
      {"suq.width.b32 %r0, [%rd0];", surface},
      {"vadd.s32.u32.s32.sat %r0, %r1, %r2;", video},
      {"vmad.u32.u32.u32 %r0, %r1, %r2, %r3;", video},
      {"vset.u32.u32.lt %r0, %r1, %r2;", video},
      {"vabsdiff4.u32.u32.u32.add %r0, %r1, %r2, %r3;", video},
      {"vadd2.s32.s32.s32 %r0, %r1, %r2, %r3;", video},
      {"multimem.ld_reduce.global.add.f32 %f0, [%rd0];", "multimem"},
      {"multimem.st.global.f32 [%rd0], %f0;", "multimem"},
      {"multimem.red.global.add.f32 [%rd0], %f0;", "multimem"},
      {"tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;", later},
      {"clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%r0], [%r1];", later},
      {"st.bulk.weak.shared::cta [%rd0], 64, 0;", later},
      {"stacksave.u64 %rd0;", "alloca"},
      {"stackrestore.u64 %rd0;", "alloca"},
      {"alloca.u64 %rd0, 16;", "alloca"},
      {"tensormap.replace.tile.global_address.global.b1024.b64 [%rd0], %rd1;", "tensor maps"},
      {"tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%rd0], [%rd1], 128;",
       "tensor maps"},
      {"mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, "
       "{%r4,%r5,%r6,%r7}, {%f4,%f5,%f6,%f7}, %r8, 0;",
       sparse},
      {"mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, "
       "{%r4,%r5,%r6,%r7}, {%f4,%f5,%f6,%f7}, %r8, 0;",
       sparse},
      {"wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.f16.f16 {%f0,%f1,%f2,%f3}, %rd0, %rd1, %r0, 0, 1, 1, 1, 0, 0;",
       sparse},
      {"cp.async.bulk.tensor.3d.shared::cta.global.im2col.mbarrier::complete_tx::bytes [%r0], [%rd0, {%r1,%r2,%r3}], "
       "[%r4], {%h0};",
       "im2col"},
      {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes [%r0], [%rd0, "
       "{%r1,%r2,%r3,%r5,%r6}], [%r4];",
       later},
      {"cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%rd0], [%r0], 16, %h0;", later},
      {"cvt.rs.f16x2.f32 %r0, %f0, %f1, %r1;", "stochastic"},
      {"cvt.rn.satfinite.e2m1x2.f32 %h0, %f0, %f1;", small},
      {"cvt.rn.satfinite.e2m3x2.f32 %h0, %f0, %f1;", small},
      {"cvt.rn.satfinite.e3m2x2.f32 %h0, %f0, %f1;", small},
      {"cvt.rn.f16x2.e2m3x2 %r0, %h0;", small},
      {"cvt.rz.satfinite.ue8m0x2.f32 %h0, %f0, %f1;", small},
      {"cvt.rn.satfinite.tf32.f32 %r0, %f0;", later},
      {"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r0, %r1}, [%r2];", later},
      {"stmatrix.sync.aligned.m16n8.x1.trans.shared.b8 [%r2], {%r0};", later},
      {"redux.sync.min.f32 %f0, %f1, -1;", later},
      {"add.rn.f32x2 %rd0, %rd1, %rd2;", later},
      {"fma.rn.f32x2 %rd0, %rd1, %rd2, %rd3;", later},
      {"add.rn.f32.f16 %f0, %h0, %f1;", later},
      {"ld.global.v8.b32 {%r0,%r1,%r2,%r3,%r4,%r5,%r6,%r7}, [%rd0];", later},
      {"st.global.v4.b64 [%rd0], {%rd1,%rd2,%rd3,%rd4};", later},
      {"min.f32 %f0, %f1, %f2, %f3;", later},
      {"max.f16x2 %r0, %r1, %r2, %r3;", later},
      {"mma.sync.aligned.m16n8k32.row.col.kind::f8f6f4.f32.e4m3.e4m3.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, "
       "{%r4,%r5}, {%f4,%f5,%f6,%f7};",
       "sm_120"},
      {"shfl.up.b32 %r0, %r1, 1, 0;", "without .sync"},
      {"vote.ballot.b32 %r0, %p0;", "without .sync"},
      {"fma.rn.oob.f16 %h0, %h1, %h2, %h3;", "oob"},
      {"mov.u32 %r0, %pm0;", "%pm0"},
      {"frobnicate.b32 %r0, %r1;", "unknown instruction"},
      {"add.b32.odd %r0, %r1, %r2;", "unknown modifier"},
      {"add.u32 %r0, %r1;", "operands"},
      {"add.u32 %r0, %r1, %undeclared;", "%undeclared"},
      {"add.u64 %rd0, %rd1, %r1;", "narrower"},
      {"ld.global.u32 %h0, [%rd0];", "wrong type"},
      {"bra NOWHERE;", "no label"},
      {"call nothing;", "nothing"},
  };
  return list;
}

} // namespace forms

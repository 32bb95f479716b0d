#include "tests/driver/kernels.h"

namespace tessera::test {

namespace {
// Every chip from sm_75 on runs it.
Artifact artifact(std::string name, std::string parameters, std::string body) {
  Artifact made;
  made.signature.name = name;
  made.entry = name;
  made.target = "sm_75";
  made.bytes = ".version 6.3\n.target sm_75\n.address_size 64\n"
               ".visible .entry " +
               name + "(" + parameters + ")\n{\n" + body + "}\n";
  return made;
}

constexpr int threads = 128, sumThreads = 256;

ArgInfo tensor(std::string name, ArgKind kind, DType dtype, std::vector<Extent> extents) {
  return {std::move(name), kind, dtype, std::move(extents)};
}
} // namespace

Artifact saxpy() {
  Artifact made = artifact("saxpy", ".param .u64 n, .param .u64 x, .param .u64 y, .param .f32 a", R"(
  .reg .pred %p;
  .reg .b32 %r<4>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<4>;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ntid.x;
  mov.u32 %r2, %tid.x;
  mad.lo.s32 %r3, %r0, %r1, %r2;
  cvt.u64.u32 %rd0, %r3;
  ld.param.u64 %rd1, [n];
  setp.ge.u64 %p, %rd0, %rd1;
  @%p ret;
  ld.param.u64 %rd2, [x];
  ld.param.u64 %rd3, [y];
  ld.param.f32 %f0, [a];
  shl.b64 %rd4, %rd0, 2;
  add.u64 %rd5, %rd2, %rd4;
  add.u64 %rd6, %rd3, %rd4;
  ld.global.f32 %f1, [%rd5];
  ld.global.f32 %f2, [%rd6];
  fma.rn.f32 %f3, %f0, %f1, %f2;
  st.global.f32 [%rd6], %f3;
  ret;
)");
  made.signature.dims = {"N"};
  made.signature.args = {
      tensor("x", ArgKind::in, f32, {{0}}), tensor("y", ArgKind::inOut, f32, {{0}}), {"a", ArgKind::scalar, f32, {}}};
  made.signature.grid = {{{0}, threads}};
  made.block.threads = {threads, 1, 1};
  return made;
}

Artifact blockSums() {
  Artifact made = artifact("block_sums", ".param .u64 n, .param .u64 b, .param .u64 x, .param .u64 s", R"(
  .reg .pred %p<3>;
  .reg .b32 %r<10>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<4>;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %tid.x;
  shl.b32 %r2, %r0, 8;
  add.s32 %r3, %r2, %r1;
  cvt.u64.u32 %rd0, %r3;
  ld.param.u64 %rd1, [n];
  ld.param.u64 %rd2, [x];
  setp.ge.u64 %p0, %rd0, %rd1;
  mov.f32 %f0, 0f00000000;
  shl.b64 %rd3, %rd0, 2;
  add.u64 %rd4, %rd2, %rd3;
  @!%p0 ld.global.f32 %f0, [%rd4];
  mov.u32 %r4, scratch;
  shl.b32 %r5, %r1, 2;
  add.s32 %r6, %r4, %r5;
  st.shared.f32 [%r6], %f0;
  bar.sync 0;
  mov.u32 %r7, 128;
LOOP:
  setp.ge.u32 %p1, %r1, %r7;
  @%p1 bra NEXT;
  shl.b32 %r8, %r7, 2;
  add.s32 %r9, %r6, %r8;
  ld.shared.f32 %f1, [%r6];
  ld.shared.f32 %f2, [%r9];
  add.f32 %f3, %f1, %f2;
  st.shared.f32 [%r6], %f3;
NEXT:
  bar.sync 0;
  shr.u32 %r7, %r7, 1;
  setp.ne.u32 %p2, %r7, 0;
  @%p2 bra LOOP;
  setp.ne.u32 %p2, %r1, 0;
  @%p2 ret;
  ld.shared.f32 %f1, [%r4];
  ld.param.u64 %rd5, [s];
  mul.wide.u32 %rd6, %r0, 4;
  add.u64 %rd7, %rd5, %rd6;
  st.global.f32 [%rd7], %f1;
  ret;
)");
  made.bytes.insert(made.bytes.find(".visible"), ".extern .shared .align 16 .b8 scratch[];\n");
  made.signature.dims = {"N", "B"};
  made.signature.args = {tensor("x", ArgKind::in, f32, {{0}}), tensor("s", ArgKind::out, f32, {{1}})};
  made.signature.grid = {{{0}, sumThreads}};
  made.block = {.threads = {sumThreads, 1, 1}, .dynamicSharedBytes = sumThreads * 4};
  return made;
}

Artifact storeOutside() {
  Artifact made = artifact("store_outside", ".param .u64 n, .param .u64 y", R"(
  .reg .b64 %rd<5>;
  .reg .f32 %f;
  ld.param.u64 %rd0, [n];
  ld.param.u64 %rd1, [y];
  shl.b64 %rd2, %rd0, 2;
  add.u64 %rd3, %rd1, %rd2;
  mov.f32 %f, 0f3F800000;
  st.global.f32 [%rd3], %f;
  ret;
)");
  made.signature.dims = {"N"};
  made.signature.args = {tensor("y", ArgKind::out, f32, {{0}})};
  made.signature.grid = {{{-1, 1}, 1}};
  return made;
}

Artifact gridPositions() {
  Artifact made = artifact("grid_positions", ".param .u64 y", R"(
  .reg .b32 %r<12>;
  .reg .b64 %rd<4>;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ctaid.y;
  mov.u32 %r2, %ctaid.z;
  mov.u32 %r3, %nctaid.x;
  mov.u32 %r4, %nctaid.y;
  mad.lo.s32 %r5, %r2, %r4, %r1;
  mad.lo.s32 %r6, %r5, %r3, %r0;
  mad.lo.s32 %r7, %r1, 100, %r0;
  mad.lo.s32 %r8, %r2, 10000, %r7;
  ld.param.u64 %rd0, [y];
  mul.wide.u32 %rd1, %r6, 4;
  add.u64 %rd2, %rd0, %rd1;
  st.global.u32 [%rd2], %r8;
  ret;
)");
  made.signature.args = {tensor("y", ArgKind::out, i32, {{-1, 2}, {-1, 3}, {-1, 5}})};
  made.signature.grid = {{{-1, 2}, 1}, {{-1, 3}, 1}, {{-1, 5}, 1}};
  return made;
}

} // namespace tessera::test

; A block's sum of squares by shuffles and shared memory, and a switch: for the LLVM back end's way to write PTX.
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
@partial = internal addrspace(3) global [32 x float] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare float @llvm.fma.f32(float, float, float)
define ptx_kernel void @sumOfSquares(ptr addrspace(1) readonly %x, ptr addrspace(1) %out, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %base = mul i32 %block, %n
  br label %head
head:
  %i = phi i32 [ %t, %entry ], [ %next, %body ]
  %s = phi float [ 0.0, %entry ], [ %more, %body ]
  %go = icmp slt i32 %i, %n
  br i1 %go, label %body, label %lanes
body:
  %at = add i32 %base, %i
  %wide = sext i32 %at to i64
  %p = getelementptr half, ptr addrspace(1) %x, i64 %wide
  %h = load half, ptr addrspace(1) %p, align 2
  %v = fpext half %h to float
  %more = call float @llvm.fma.f32(float %v, float %v, float %s)
  %next = add i32 %i, 128
  br label %head
lanes:
  %a16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s, i32 16, i32 31)
  %s16 = fadd float %s, %a16
  %a8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s16, i32 8, i32 31)
  %s8 = fadd float %s16, %a8
  %a4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s8, i32 4, i32 31)
  %s4 = fadd float %s8, %a4
  %a2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s4, i32 2, i32 31)
  %s2 = fadd float %s4, %a2
  %a1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s2, i32 1, i32 31)
  %s1 = fadd float %s2, %a1
  %warp = lshr i32 %t, 5
  %lane = and i32 %t, 31
  %first = icmp eq i32 %lane, 0
  br i1 %first, label %write, label %meet
write:
  %slot = getelementptr [32 x float], ptr addrspace(3) @partial, i32 0, i32 %warp
  store float %s1, ptr addrspace(3) %slot, align 4
  br label %meet
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %leader = icmp eq i32 %t, 0
  br i1 %leader, label %finish, label %done
finish:
  %q = load <4 x float>, ptr addrspace(3) @partial, align 4
  %q0 = extractelement <4 x float> %q, i32 0
  %q1 = extractelement <4 x float> %q, i32 1
  %q2 = extractelement <4 x float> %q, i32 2
  %q3 = extractelement <4 x float> %q, i32 3
  %t0 = fadd float %q0, %q1
  %t1 = fadd float %q2, %q3
  %total = fadd float %t0, %t1
  %which = urem i32 %block, 3
  switch i32 %which, label %plain [ i32 1, label %double
                                    i32 2, label %negate ]
double:
  %d = fmul float %total, 2.0
  br label %store
negate:
  %m = fneg float %total
  br label %store
plain:
  br label %store
store:
  %r = phi float [ %d, %double ], [ %m, %negate ], [ %total, %plain ]
  %b64 = zext i32 %block to i64
  %o = getelementptr float, ptr addrspace(1) %out, i64 %b64
  store float %r, ptr addrspace(1) %o, align 4
  br label %done
done:
  ret void
}

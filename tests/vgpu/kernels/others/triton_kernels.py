# The sources of triton_*.ptx: compiled with Triton 3.5 for sm_80 and sm_90a, without a GPU; debug sections cut off.
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
@triton.jit
def rowwise_softmax(x, y, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    v = tl.load(x + row * n + c, mask=c < n, other=-float('inf')).to(tl.float32)
    v = v - tl.max(v, axis=0)
    e = tl.exp(v)
    tl.store(y + row * n + c, (e / tl.sum(e, axis=0)).to(tl.bfloat16), mask=c < n)
@triton.jit
def tile_product(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    pa = a + m[:, None] * K + k[None, :]
    pb = b + k[:, None] * N + n[None, :]
    for i in range(0, K, BK):
        acc += tl.dot(tl.load(pa), tl.load(pb))
        pa += BK
        pb += BK * N
    tl.store(c + m[:, None] * N + n[None, :], acc, mask=(m[:, None] < M) & (n[None, :] < N))
def build(fn, sig, const, cc, name, **opts):
    src = ASTSource(fn=fn, signature=sig, constexprs=const)
    p = triton.compile(src, target=GPUTarget("cuda", cc, 32), options=opts).asm["ptx"]
    p = p.split("\t.section\t.debug")[0]
    open(f"{name}.ptx", "w").write(p)
for cc in (80, 90):
    build(rowwise_softmax, {"x":"*bf16","y":"*bf16","n":"i32","BLOCK":"constexpr"}, {"BLOCK":256}, cc, f"triton_softmax.sm_{cc}", num_warps=4)
    build(tile_product, {"a":"*bf16","b":"*bf16","c":"*fp32","M":"i32","N":"i32","K":"i32","BM":"constexpr","BN":"constexpr","BK":"constexpr"}, {"BM":64,"BN":64,"BK":32}, cc, f"triton_product.sm_{cc}", num_warps=4, num_stages=3)

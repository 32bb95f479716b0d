"""Triton's side of compare_triton.py: kernels in the style of its tutorials that do what the library's ops do, in the same tiles.

Tensors are contiguous; sizes are arguments, as ours are, and known to be multiples of 16. Heads and pages are constants, as ours are.
"""
import triton
import triton.language as tl


@triton.jit
def gemm(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    rows, columns = m % M, n % N
    left = a + rows[:, None] * K + k[None, :]
    right = b + k[:, None] * N + columns[None, :]
    acc = tl.zeros((BM, BN), tl.float32)
    for step in range(0, tl.cdiv(K, BK)):
        rest = K - step * BK
        x = tl.load(left, mask=k[None, :] < rest, other=0.0)
        y = tl.load(right, mask=k[:, None] < rest, other=0.0)
        acc = tl.dot(x, y, acc)
        left += BK
        right += BK * N
    tl.store(c + m[:, None] * N + n[None, :], acc.to(tl.float16), mask=(m[:, None] < M) & (n[None, :] < N))


@triton.jit
def attend(acc, den, top, query, position, k, v, table, begin, end, kv, scale, D: tl.constexpr, KV: tl.constexpr, PAGE: tl.constexpr,
           BN: tl.constexpr, MASKED: tl.constexpr):
    d = tl.arange(0, D)
    for s in tl.range(begin, end, BN):
        page = tl.load(table + s // PAGE)
        slot = (page * KV + kv) * PAGE + s % PAGE + tl.arange(0, BN)
        key = tl.load(k + slot[None, :] * D + d[:, None])
        score = tl.dot(query, key) * scale
        if MASKED:
            score = tl.where(s + tl.arange(0, BN)[None, :] <= position[:, None], score, -float("inf"))
        highest = tl.maximum(top, tl.max(score, 1))
        p = tl.math.exp2(score - highest[:, None])
        keep = tl.math.exp2(top - highest)
        den = den * keep + tl.sum(p, 1)
        acc = acc * keep[:, None]
        value = tl.load(v + slot[:, None] * D + d[None, :])
        acc = tl.dot(p.to(tl.float16), value, acc)
        top = highest
    return acc, den, top


@triton.jit
def attention(q, k, v, table, length, o, queries, slots, scale, H: tl.constexpr, KV: tl.constexpr, D: tl.constexpr, PAGE: tl.constexpr,
              BM: tl.constexpr, BN: tl.constexpr):
    block, head, b = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    n = tl.load(length + b)
    m = block * BM + tl.arange(0, BM)
    d = tl.arange(0, D)
    first = n - queries + block * BM
    position = first + tl.arange(0, BM)
    here = ((b * queries + m[:, None]) * H + head) * D + d[None, :]
    query = tl.load(q + here, mask=m[:, None] < queries, other=0.0)
    acc = tl.zeros((BM, D), tl.float32)
    den = tl.zeros((BM,), tl.float32)
    top = tl.full((BM,), -3.0e38, tl.float32)
    end = tl.minimum(n, first + BM)
    seen = tl.maximum(first + 1, 0) // BN * BN  # keys that every row sees
    kv = head // (H // KV)
    acc, den, top = attend(acc, den, top, query, position, k, v, table + b * slots, 0, seen, kv, scale, D, KV, PAGE, BN, False)
    acc, den, top = attend(acc, den, top, query, position, k, v, table + b * slots, seen, end, kv, scale, D, KV, PAGE, BN, True)
    acc = tl.where(den[:, None] > 0, acc / den[:, None], 0.0)
    tl.store(o + here, acc.to(tl.float16), mask=m[:, None] < queries)


@triton.jit
def rms_norm(x, w, y, eps, D, BD: tl.constexpr):
    row = tl.program_id(0)
    squares = tl.zeros((BD,), tl.float32)
    for at in range(0, D, BD):
        j = at + tl.arange(0, BD)
        value = tl.load(x + row * D + j, mask=j < D, other=0.0)
        squares += value * value
    scale = tl.rsqrt(tl.sum(squares, 0) / D + eps)
    for at in range(0, D, BD):
        j = at + tl.arange(0, BD)
        value = tl.load(x + row * D + j, mask=j < D, other=0.0)
        tl.store(y + row * D + j, value * scale * tl.load(w + j, mask=j < D, other=0.0), mask=j < D)


@triton.jit
def softmax(x, y, C, BC: tl.constexpr):
    row = tl.program_id(0)
    j = tl.arange(0, BC)
    value = tl.load(x + row * C + j, mask=j < C, other=-float("inf"))
    power = tl.exp(value - tl.max(value, 0))
    tl.store(y + row * C + j, power / tl.sum(power, 0), mask=j < C)


@triton.jit
def int4_matmul(a, w, scales, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """w i32 [K/8, N], eight codes of k a word, the first lowest; scales f16 [K/BK, N]: w = (code - 8) * scale."""
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    rows, columns = m % M, n % N
    left = a + rows[:, None] * K + k[None, :]
    words = w + (k[:, None] // 8) * N + columns[None, :]
    acc = tl.zeros((BM, BN), tl.float32)
    for step in range(0, K // BK):
        x = tl.load(left)
        codes = (tl.load(words) >> (k[:, None] % 8 * 4)) & 15
        scale = tl.load(scales + step * N + columns)
        y = (codes - 8).to(tl.float32) * scale[None, :].to(tl.float32)
        acc = tl.dot(x, y.to(tl.float16), acc)
        left += BK
        words += BK // 8 * N
    tl.store(c + m[:, None] * N + n[None, :], acc, mask=(m[:, None] < M) & (n[None, :] < N))

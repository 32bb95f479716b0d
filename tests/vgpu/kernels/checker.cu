// Kernels for the checker's tests, all of them right: each uses one kind of synchronisation in earnest, over several
// rounds, so that any barrier, wait or fence that is taken away matters.
#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <cstdint>

struct alignas(64) Map {
  char bytes[128];
};

__device__ unsigned sharedAddress(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// Warps stage 32 x 32 tiles through their own shared memory: only lanes have to wait for each other.
extern "C" __global__ void warpTranspose(const float *x, float *out, int tiles) {
  __shared__ float tile[4][32][33];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int t = warp; t < tiles; t += 4) {
    for (int r = 0; r < 32; ++r)
      tile[warp][r][lane] = x[t * 1024 + r * 32 + lane];
    __syncwarp();
    for (int r = 0; r < 32; ++r)
      out[t * 1024 + r * 32 + lane] = tile[warp][lane][r];
    __syncwarp();
  }
}

// Half warps work on their own: partial masks.
extern "C" __global__ void halfWarps(const int *x, int *out, int rounds) {
  __shared__ int s[32];
  int lane = threadIdx.x;
  unsigned mask = lane < 16 ? 0xffffu : 0xffff0000u;
  int v = x[lane];
  for (int i = 0; i < rounds; ++i) {
    s[lane] = v;
    __syncwarp(mask);
    v += s[lane ^ 15];
    __syncwarp(mask);
  }
  s[lane] = v;
  __syncwarp();
  out[lane] = s[31 - lane];
}

// A lock in shared memory guards plain data.
extern "C" __global__ void sharedLock(const int *x, int *out, int n) {
  __shared__ int lock, total[4];
  if (threadIdx.x == 0)
    lock = 0;
  if (threadIdx.x < 4)
    total[threadIdx.x] = 0;
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    int warp = threadIdx.x / 32;
    while (atomicCAS(&lock, 0, 1) != 0)
      ;
    __threadfence_block();
    for (int i = 0; i < 4; ++i)
      total[i] += x[warp * 4 + i];
    __threadfence_block();
    atomicExch(&lock, 0);
  }
  __syncthreads();
  if (threadIdx.x < 4)
    out[threadIdx.x] = total[threadIdx.x];
}

#if __CUDA_ARCH__ >= 800
__device__ void barrierInit(uint64_t *b, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(b)), "r"(count) : "memory");
}
__device__ void arrive(uint64_t *b) {
  asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.shared::cta.b64 state, [%0];\n}" ::"r"(sharedAddress(b)) : "memory");
}
__device__ void await(uint64_t *b, unsigned parity) {
#if __CUDA_ARCH__ >= 900
  asm volatile("{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}"
               ::"r"(sharedAddress(b)), "r"(parity) : "memory");
#else
  asm volatile("{\n.reg .pred done;\nAGAIN:\nmbarrier.test_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}"
               ::"r"(sharedAddress(b)), "r"(parity) : "memory");
#endif
}

// An mbarrier of all threads in the place of __syncthreads: every phase is waited for.
extern "C" __global__ void phases(const int *x, int *out, int rounds) {
  __shared__ uint64_t all;
  __shared__ int s[128];
  int t = threadIdx.x;
  if (t == 0)
    barrierInit(&all, 128);
  __syncthreads();
  int v = x[t];
  for (int i = 0; i < rounds; ++i) {
    s[t] = v;
    arrive(&all);
    await(&all, 0);
    v = s[(t + 37) % 128] + i;
    arrive(&all);
    await(&all, 1);
  }
  __syncthreads();
  if (t == 0)
    asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(sharedAddress(&all)) : "memory");
  out[t] = v;
}

// Two warps copy with cp.async and arrive when their copies are there, two warps add up.
extern "C" __global__ void copyArrive(const float *x, float *out, int tiles) {
  __shared__ __align__(16) float s[2][256];
  __shared__ uint64_t full[2], empty[2];
  int t = threadIdx.x;
  if (t == 0)
    for (int k = 0; k < 2; ++k) {
      barrierInit(&full[k], 64);
      barrierInit(&empty[k], 64);
    }
  __syncthreads();
  if (t < 64) {
    for (int i = 0; i < tiles; ++i) {
      if (i >= 2)
        await(&empty[i & 1], (i / 2 - 1) & 1);
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sharedAddress(&s[i & 1][t * 4])), "l"(x + i * 256 + t * 4) : "memory");
      asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(sharedAddress(&full[i & 1])) : "memory");
    }
  } else {
    float sum = 0;
    int me = t - 64;
    for (int i = 0; i < tiles; ++i) {
      await(&full[i & 1], (i / 2) & 1);
      for (int k = 0; k < 4; ++k)
        sum += s[i & 1][(me + k * 64 + 17) % 256] * (k + 1);
      if (i + 2 < tiles)
        arrive(&empty[i & 1]);
    }
    out[me] = sum;
  }
}
#endif

#if __CUDA_ARCH__ >= 900
__device__ void expect(uint64_t *b, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(b)), "r"(bytes) : "memory");
}
__device__ void load2d(void *to, const Map *map, uint64_t *b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
               ::"r"(sharedAddress(to)), "l"(map), "r"(sharedAddress(b)), "r"(x), "r"(y) : "memory");
}
__device__ void store2d(const Map *map, const void *from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];"
               ::"l"(map), "r"(sharedAddress(from)), "r"(x), "r"(y) : "memory");
}

// Two buffers: filled by all threads, stored in bulk by one, reused when the store before last has read them.
extern "C" __global__ void bulkRing(float *out, int tiles, float scale) {
  __shared__ alignas(128) float s[2][256];
  int t = threadIdx.x;
  for (int i = 0; i < tiles; ++i) {
    if (t == 0)
      asm volatile("cp.async.bulk.wait_group.read 1;" ::: "memory");
    __syncthreads();
    s[i & 1][t] = scale * t + i;
    s[i & 1][t + 128] = scale * t - i;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (t == 0) {
      asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 1024;" ::"l"(out + i * 256), "r"(sharedAddress(s[i & 1])) : "memory");
      asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
  }
  if (t == 0)
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

// Generic writes, a copy by TMA over them, generic reads: both proxies take turns on one buffer.
extern "C" __global__ void proxies(const float *x, float *out, int rounds) {
  __shared__ alignas(128) float s[128];
  __shared__ uint64_t full;
  int t = threadIdx.x;
  if (t == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  float sum = 0;
  for (int i = 0; i < rounds; ++i) {
    s[t] = sum + i;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    sum += s[127 - t];
    __syncthreads();
    if (t == 0) {
      expect(&full, 512);
      asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 512, [%2];"
                   ::"r"(sharedAddress(s)), "l"(x + i * 128), "r"(sharedAddress(&full)) : "memory");
    }
    await(&full, i & 1);
    sum += s[(t + 5) % 128];
    __syncthreads();
  }
  out[t] = sum;
}

__device__ uint64_t descriptor(const void *p) { // K-major, 128-byte swizzle, atoms of 8 rows follow each other
  uint64_t d = (uint64_t)(sharedAddress(p) & 0x3ffff) >> 4;
  return d | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}
#define ACCUMULATORS                                                                                                   \
  "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"    \
  "%30,%31}"
#define OUTPUTS                                                                                                        \
  "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]),          \
      "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]),           \
      "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]),          \
      "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
__device__ void mma(float (&d)[32], uint64_t a, uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " ACCUMULATORS ", %32, %33, 1, 1, 1, 0, 0;" : OUTPUTS : "l"(a), "l"(b));
}
__device__ void mma(float (&d)[32], const unsigned (&a)[4], uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " ACCUMULATORS ", {%32,%33,%34,%35}, %36, 1, 1, 1, 0;"
               : OUTPUTS : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
__device__ void wgmmaFence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ void wgmmaCommit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int n> __device__ void wgmmaWait(float (&d)[32]) {
  asm volatile("wgmma.wait_group.sync.aligned %32;" : OUTPUTS : "n"(n) : "memory");
}

// C[128, 64] = A[128, K] * B[64, K]^T. A producer warpgroup gives its registers to two consumers, which keep one wgmma
// group in flight; one thread of a warpgroup releases a stage. The result leaves through shared memory and TMA.
extern "C" __global__ void __launch_bounds__(384, 1)
    twoConsumers(const __grid_constant__ Map mapA, const __grid_constant__ Map mapB, const __grid_constant__ Map mapC, int K) {
  constexpr int stages = 3;
  extern __shared__ __align__(1024) unsigned char raw[];
  auto *a = reinterpret_cast<__nv_bfloat16 (*)[128 * 64]>(raw);
  auto *b = reinterpret_cast<__nv_bfloat16 (*)[64 * 64]>(raw + stages * 16384);
  auto *c = reinterpret_cast<float (*)[64 * 64]>(raw + stages * 24576);
  __shared__ uint64_t full[stages], empty[stages];
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      barrierInit(&full[s], 1);
      barrierInit(&empty[s], 2);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  int tiles = K / 64, group = threadIdx.x / 128;
  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x == 0)
#pragma unroll 1
      for (int t = 0; t < tiles; ++t) {
        int s = t % stages;
        if (t >= stages)
          await(&empty[s], (t / stages - 1) & 1);
        expect(&full[s], 24576);
        load2d(a[s], &mapA, &full[s], t * 64, 0);
        load2d(b[s], &mapB, &full[s], t * 64, 0);
      }
    return;
  }
  asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
  float d[32];
  for (int i = 0; i < 32; ++i)
    d[i] = 0;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    int s = t % stages;
    await(&full[s], (t / stages) & 1);
    wgmmaFence();
    for (int k = 0; k < 64; k += 16)
      mma(d, descriptor(a[s] + (group - 1) * 64 * 64 + k), descriptor(b[s] + k));
    wgmmaCommit();
    wgmmaWait<1>(d);
    if (t > 0 && threadIdx.x % 128 == 0)
      arrive(&empty[(t - 1) % stages]);
  }
  wgmmaWait<0>(d);
  int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
  for (int i = 0; i < 32; ++i)
    c[group - 1][(16 * warp + lane / 4 + 8 * (i >> 1 & 1)) * 64 + 8 * (i >> 2) + 2 * (lane % 4) + (i & 1)] = d[i];
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  asm volatile("bar.sync %0, 128;" ::"r"(group) : "memory");
  if (threadIdx.x % 128 == 0) {
    store2d(&mapC, c[group - 1], 0, (group - 1) * 64);
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
  }
}

// A from registers: D[64, 64] = A[64, 64] * B[64, 64]^T, in two groups with other work on the fragments between them.
extern "C" __global__ void __launch_bounds__(128) fromRegisters(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C) {
  __shared__ alignas(1024) __nv_bfloat16 b[64 * 64];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int i = threadIdx.x; i < 64 * 64; i += 128) {
    int r = i / 64, k = i % 64, at = r * 128 + k * 2;
    b[(at ^ (at >> 7 & 7) << 4) / 2] = B[i];
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  float d[32];
  for (int i = 0; i < 32; ++i)
    d[i] = 0;
#pragma unroll 1
  for (int k = 0; k < 64; k += 16) {
    unsigned a[4];
    for (int j = 0; j < 4; ++j)
      a[j] = *reinterpret_cast<const unsigned *>(A + (16 * warp + lane / 4 + 8 * (j & 1)) * 64 + k + 8 * (j >> 1) + 2 * (lane % 4));
    wgmmaFence();
    mma(d, a, descriptor(b + k));
    wgmmaCommit();
    wgmmaWait<0>(d);
  }
  for (int i = 0; i < 32; ++i)
    C[(16 * warp + lane / 4 + 8 * (i >> 1 & 1)) * 64 + 8 * (i >> 2) + 2 * (lane % 4) + (i & 1)] = d[i];
}

__device__ void arriveRemote(uint64_t *b, unsigned rank) {
  asm volatile("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\nmbarrier.arrive.release.cluster.shared::cluster.b64 _, [there];\n}"
               ::"r"(sharedAddress(b)), "r"(rank) : "memory");
}
__device__ void awaitCluster(uint64_t *b, unsigned parity) {
  asm volatile("{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}"
               ::"r"(sharedAddress(b)), "r"(parity) : "memory");
}

// Both blocks of a cluster load half of every tile for both, and release stages to both.
extern "C" __global__ void __cluster_dims__(2, 1, 1) clusterPipeline(const float *in, float *out, int tiles) {
  __shared__ alignas(128) float tile[2][2][64];
  __shared__ uint64_t full[2], empty[2];
  auto cluster = cooperative_groups::this_cluster();
  unsigned rank = cluster.block_rank(), t = threadIdx.x;
  if (t == 0) {
    for (int s = 0; s < 2; ++s) {
      barrierInit(&full[s], 1);
      barrierInit(&empty[s], 8);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
  if (t >= 128) {
    if (t == 128)
#pragma unroll 1
      for (int i = 0; i < tiles; ++i) {
        int s = i & 1;
        if (i >= 2)
          awaitCluster(&empty[s], (i / 2 - 1) & 1);
        expect(&full[s], 512);
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], 256, [%2], %3;"
                     ::"r"(sharedAddress(tile[s][rank])), "l"(in + i * 128 + rank * 64), "r"(sharedAddress(&full[s])), "h"((short)3) : "memory");
      }
  } else {
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < tiles; ++i) {
      int s = i & 1;
      awaitCluster(&full[s], (i / 2) & 1);
      sum += tile[s][t / 64][t % 64] * (i + 1);
      __syncwarp();
      if (t % 32 < 2)
        arriveRemote(&empty[s], t % 32);
    }
    out[blockIdx.x * 128 + t] = sum;
  }
  cluster.sync();
}

// Blocks of a cluster add what their neighbours hold, round after round.
extern "C" __global__ void __cluster_dims__(4, 1, 1) clusterReduce(const int *x, int *out, int rounds) {
  __shared__ int mine[32];
  auto cluster = cooperative_groups::this_cluster();
  int t = threadIdx.x, v = x[blockIdx.x * 32 + t];
  unsigned next = (cluster.block_rank() + 1) % 4;
  int *other = cluster.map_shared_rank(mine, next);
  cluster.sync(); // the neighbour runs
#pragma unroll 1
  for (int i = 0; i < rounds; ++i) {
    mine[t] = v;
    cluster.sync();
    v += other[31 - t];
    cluster.sync();
  }
  other[t] = v; // a write, too
  cluster.sync();
  out[blockIdx.x * 32 + t] = mine[t];
}
#endif

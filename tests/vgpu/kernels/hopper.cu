// Kernels of sm_90a: TMA with mbarriers, wgmma on swizzled tiles, clusters with multicast and distributed shared memory.
#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <cstdint>

struct alignas(64) Map {
  char bytes[128];
};

__device__ unsigned sharedAddress(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void barrierInit(uint64_t *b, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(b)), "r"(count) : "memory");
}
__device__ void expect(uint64_t *b, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(b)), "r"(bytes) : "memory");
}
__device__ void arrive(uint64_t *b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(sharedAddress(b)) : "memory"); }
__device__ void wait(uint64_t *b, unsigned parity) {
  asm volatile("{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}"
               ::"r"(sharedAddress(b)), "r"(parity) : "memory");
}
__device__ void load2d(void *to, const Map *map, uint64_t *b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
               ::"r"(sharedAddress(to)), "l"(map), "r"(sharedAddress(b)), "r"(x), "r"(y) : "memory");
}
__device__ void store2d(const Map *map, const void *from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];"
               ::"l"(map), "r"(sharedAddress(from)), "r"(x), "r"(y) : "memory");
}

// A 32 x 64 f32 tile in, doubled, and out again; edges are cut off by the hardware.
extern "C" __global__ void doubleTiles(const __grid_constant__ Map in, const __grid_constant__ Map out) {
  __shared__ alignas(128) float tile[32][64];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    expect(&full, sizeof tile);
    load2d(tile, &in, &full, blockIdx.x * 64, blockIdx.y * 32);
  }
  wait(&full, 0);
  for (int i = threadIdx.x; i < 32 * 64; i += blockDim.x)
    tile[i / 64][i % 64] *= 2;
#ifndef NO_FENCE
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
  __syncthreads();
  if (threadIdx.x == 0) {
    store2d(&out, tile, blockIdx.x * 64, blockIdx.y * 32);
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}

// The same without the proxy fence, and one that reads before it waits: for the checker.
extern "C" __global__ void missingProxyFence(const __grid_constant__ Map out) {
  __shared__ alignas(128) float tile[32][64];
  for (int i = threadIdx.x; i < 32 * 64; i += blockDim.x)
    tile[i / 64][i % 64] = i;
  __syncthreads();
  if (threadIdx.x == 0) {
    store2d(&out, tile, 0, 0);
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}
extern "C" __global__ void missingTmaWait(const __grid_constant__ Map in, float *out) {
  __shared__ alignas(128) float tile[32][64];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    expect(&full, sizeof tile);
    load2d(tile, &in, &full, 0, 0);
  }
  __syncthreads();
  out[threadIdx.x] = tile[0][threadIdx.x % 64];
}
extern "C" __global__ void missingExpect(const __grid_constant__ Map in, float *out) {
  __shared__ alignas(128) float tile[32][64];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    load2d(tile, &in, &full, 0, 0);
  }
  __syncthreads();
  wait(&full, 0);
  out[threadIdx.x] = tile[0][threadIdx.x % 64];
}

__device__ uint64_t descriptor(const void *p) { // K-major, 128-byte swizzle, atoms of 8 rows follow each other
  uint64_t d = (uint64_t)(sharedAddress(p) & 0x3ffff) >> 4;
  return d | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}

// C[64, 64] blocks of A[M, K] * B[N, K]^T in bf16. Warp 4 produces through TMA in four stages, warps 0 to 3 consume.
extern "C" __global__ void wgmmaGemm(const __grid_constant__ Map mapA, const __grid_constant__ Map mapB, float *C, int N, int K) {
  constexpr int stages = 4;
  extern __shared__ __align__(1024) unsigned char raw[];
  auto *a = reinterpret_cast<__nv_bfloat16 (*)[64 * 64]>(raw);
  auto *b = reinterpret_cast<__nv_bfloat16 (*)[64 * 64]>(raw + stages * 8192);
  __shared__ uint64_t full[stages], empty[stages];
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      barrierInit(&full[s], 1);
      barrierInit(&empty[s], 128);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  int tiles = K / 64, warp = threadIdx.x / 32;
  if (warp == 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x == 128)
      for (int t = 0; t < tiles; ++t) {
        int s = t % stages;
        if (t >= stages)
          wait(&empty[s], (t / stages - 1) & 1);
        expect(&full[s], 2 * 8192);
        load2d(a[s], &mapA, &full[s], t * 64, blockIdx.y * 64);
        load2d(b[s], &mapB, &full[s], t * 64, blockIdx.x * 64);
      }
    return;
  }
  float d[32];
  for (int i = 0; i < 32; ++i)
    d[i] = 0;
  for (int t = 0; t < tiles; ++t) {
    int s = t % stages;
    wait(&full[s], (t / stages) & 1);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (int k = 0; k < 64; k += 16) {
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
                   "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                   "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31},"
                   " %32, %33, p, 1, 1, 0, 0;\n}"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]),
                     "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]),
                     "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
                     "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
                   : "l"(descriptor(a[s] + k)), "l"(descriptor(b[s] + k)), "r"(t + k > 0 ? 1 : 0));
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    arrive(&empty[s]);
  }
  int lane = threadIdx.x % 32;
  for (int i = 0; i < 32; ++i) {
    int row = 16 * warp + lane / 4 + 8 * (i >> 1 & 1), col = 8 * (i >> 2) + 2 * (lane % 4) + (i & 1);
    C[(blockIdx.y * 64 + row) * N + blockIdx.x * 64 + col] = d[i];
  }
}

// Each block of a cluster of two loads half of a tile for both.
extern "C" __global__ void __cluster_dims__(2, 1, 1) multicast(const float *in, float *out) {
  __shared__ alignas(128) float tile[2][64];
  __shared__ uint64_t full;
  auto cluster = cooperative_groups::this_cluster();
  unsigned rank = cluster.block_rank();
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    expect(&full, sizeof tile);
  }
  cluster.sync();
  if (threadIdx.x == 0)
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], 256, [%2], %3;"
                 ::"r"(sharedAddress(tile[rank])), "l"(in + (blockIdx.x / 2 * 2 + rank) * 64), "r"(sharedAddress(&full)), "h"((short)3) : "memory");
  wait(&full, 0);
  out[blockIdx.x * 128 + threadIdx.x] = tile[threadIdx.x / 64][threadIdx.x % 64];
  cluster.sync();
}

// Distributed shared memory: a block reads its neighbour's.
extern "C" __global__ void __cluster_dims__(4, 1, 1) neighbours(int *out) {
  __shared__ int mine[32];
  auto cluster = cooperative_groups::this_cluster();
  mine[threadIdx.x] = blockIdx.x * 100 + threadIdx.x;
  cluster.sync();
  int *other = cluster.map_shared_rank(mine, (cluster.block_rank() + 1) % 4);
  out[blockIdx.x * 32 + threadIdx.x] = other[31 - threadIdx.x];
  cluster.sync();
}

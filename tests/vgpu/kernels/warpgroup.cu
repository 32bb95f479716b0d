// wgmma in the ways GEMMs use it: several element types, A from registers, MN-major operands, and an epilogue through
// stmatrix and a TMA store. Tiles come by TMA with a swizzle; one stage, so that the layouts are what is tested.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>

struct alignas(64) Map {
  char bytes[128];
};
__device__ unsigned sharedAddress(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void barrierInit(uint64_t *b, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(b)), "r"(count) : "memory"); }
__device__ void expect(uint64_t *b, unsigned bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(b)), "r"(bytes) : "memory"); }
__device__ void wait(uint64_t *b, unsigned parity) {
  asm volatile("{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}" ::"r"(sharedAddress(b)), "r"(parity) : "memory");
}
__device__ void load2d(void *to, const Map *map, uint64_t *b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(sharedAddress(to)), "l"(map), "r"(sharedAddress(b)), "r"(x), "r"(y) : "memory");
}
__device__ uint64_t descriptor(const void *p, unsigned leading, unsigned stride) { // 128-byte swizzle
  return (uint64_t)(sharedAddress(p) & 0x3ffff) >> 4 | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 | (uint64_t)1 << 62;
}
#define ACC(X) X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15), X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30), X(31)
#define LIST "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}"
#define F(i) "+f"(d[i])
#define R(i) "+r"(d[i])
#define SS(SHAPE, FLAGS, KIND) asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\nwgmma.mma_async.sync.aligned." SHAPE " " LIST ", %32, %33, p" FLAGS ";\n}" : ACC(KIND) : "l"(a), "l"(b), "r"(add))

struct Half { static __device__ void run(float *d, uint64_t a, uint64_t b, int add) { SS("m64n64k16.f32.f16.f16", ", 1, 1, 0, 0", F); } };
struct Tf32 { static __device__ void run(float *d, uint64_t a, uint64_t b, int add) { SS("m64n64k8.f32.tf32.tf32", ", 1, 1", F); } };
struct E4m3 { static __device__ void run(float *d, uint64_t a, uint64_t b, int add) { SS("m64n64k32.f32.e4m3.e4m3", ", 1, 1", F); } };
struct E5m2 { static __device__ void run(float *d, uint64_t a, uint64_t b, int add) { SS("m64n64k32.f32.e5m2.e5m2", ", 1, 1", F); } };
struct Int8 { static __device__ void run(int *d, uint64_t a, uint64_t b, int add) { SS("m64n64k32.s32.s8.s8", "", R); } };
// A is [K, M] and B is [K, N] in memory: MN-major.
struct Transposed { static __device__ void run(float *d, uint64_t a, uint64_t b, int add) { SS("m64n64k16.f32.bf16.bf16", ", 1, 1, 1, 1", F); } };

__device__ void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ void finish() { asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory"); }

template <class T> __device__ void store(const T *d, T *C, int N) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int i = 0; i < 32; ++i) {
    int row = 16 * warp + lane / 4 + 8 * (i >> 1 & 1), col = 8 * (i >> 2) + 2 * (lane % 4) + (i & 1);
    C[(blockIdx.y * 64 + row) * N + blockIdx.x * 64 + col] = d[i];
  }
}

// C[64, 64] tiles of A[M, K] * B[N, K]^T; a row of a tile is 128 bytes, 32 of them a step.
template <class Op, class Acc, int elements> __device__ void gemm(const Map *mapA, const Map *mapB, Acc *C, int N, int K) {
  __shared__ alignas(1024) unsigned char a[8192], b[8192];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  Acc d[32] = {};
  for (int k = 0; k < K; k += elements) {
    if (threadIdx.x == 0) {
      expect(&full, 16384);
      load2d(a, mapA, &full, k, blockIdx.y * 64);
      load2d(b, mapB, &full, k, blockIdx.x * 64);
    }
    wait(&full, k / elements & 1);
    fence();
    for (int s = 0; s < 128; s += 32)
      Op::run(d, descriptor(a + s, 16, 1024), descriptor(b + s, 16, 1024), k + s > 0);
    finish();
    __syncthreads();
  }
  store(d, C, N);
}
#define GEMM(NAME, OP, ACC_TYPE, ELEMENTS) extern "C" __global__ void __launch_bounds__(128) NAME(const __grid_constant__ Map a, const __grid_constant__ Map b, ACC_TYPE *C, int N, int K) { gemm<OP, ACC_TYPE, ELEMENTS>(&a, &b, C, N, K); }
GEMM(gemmHalf, Half, float, 64)
GEMM(gemmTf32, Tf32, float, 32)
GEMM(gemmE4m3, E4m3, float, 128)
GEMM(gemmE5m2, E5m2, float, 128)
GEMM(gemmInt8, Int8, int, 128)

// MN-major: tiles are 64 rows of k, 64 elements (128 bytes) of m or n each; 16 rows of k a step.
extern "C" __global__ void __launch_bounds__(128) gemmTransposed(const __grid_constant__ Map mapA, const __grid_constant__ Map mapB, float *C, int N, int K) {
  __shared__ alignas(1024) unsigned char a[8192], b[8192];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  float d[32] = {};
  for (int k = 0; k < K; k += 64) {
    if (threadIdx.x == 0) {
      expect(&full, 16384);
      load2d(a, &mapA, &full, blockIdx.y * 64, k);
      load2d(b, &mapB, &full, blockIdx.x * 64, k);
    }
    wait(&full, k / 64 & 1);
    fence();
    for (int s = 0; s < 64; s += 16)
      Transposed::run(d, descriptor(a + s * 128, 8192, 1024), descriptor(b + s * 128, 8192, 1024), k + s > 0);
    finish();
    __syncthreads();
  }
  store(d, C, N);
}

// A from registers (doubled on the way), and the result as bf16 through stmatrix and a TMA store.
extern "C" __global__ void __launch_bounds__(128) gemmRegisters(const __nv_bfloat16 *A, const __grid_constant__ Map mapB, const __grid_constant__ Map mapC, int K) {
  __shared__ alignas(1024) unsigned char b[8192];
  __shared__ alignas(1024) __nv_bfloat16 out[64][64];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    barrierInit(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float d[32] = {};
  for (int k = 0; k < K; k += 64) {
    if (threadIdx.x == 0) {
      expect(&full, 8192);
      load2d(b, &mapB, &full, k, blockIdx.x * 64);
    }
    unsigned r[4][4]; // all fragments of the step before the first wgmma: its registers may not be written in between
    for (int s = 0; s < 4; ++s)
      for (int j = 0; j < 4; ++j) {
        int row = blockIdx.y * 64 + 16 * warp + lane / 4 + 8 * (j & 1), col = k + 16 * s + 2 * (lane % 4) + 8 * (j >> 1);
        __nv_bfloat162 v = *(const __nv_bfloat162 *)(A + row * K + col);
        v = __hadd2(v, v);
        r[s][j] = *(unsigned *)&v;
      }
    wait(&full, k / 64 & 1);
    fence();
    for (int s = 0; s < 4; ++s) {
      uint64_t bd = descriptor(b + 32 * s, 16, 1024);
      int add = k + s > 0;
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\nwgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " LIST ", {%32,%33,%34,%35}, %36, p, 1, 1, 0;\n}"
                   : ACC(F) : "r"(r[s][0]), "r"(r[s][1]), "r"(r[s][2]), "r"(r[s][3]), "l"(bd), "r"(add));
    }
    finish();
    __syncthreads();
  }
  for (int n = 0; n < 64; n += 16) { // four 8 x 8 matrices: rows 0 and 8, columns n and n + 8
    unsigned packed[4];
    for (int j = 0; j < 4; ++j) {
      int i = n / 2 + (j >> 1) * 4 + (j & 1) * 2;
      __nv_bfloat162 v = __floats2bfloat162_rn(d[i], d[i + 1]);
      packed[j] = *(unsigned *)&v;
    }
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(sharedAddress(&out[16 * warp + lane % 16][n + lane / 16 * 8])), "r"(packed[0]), "r"(packed[1]), "r"(packed[2]), "r"(packed[3]) : "memory");
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&mapC), "r"(sharedAddress(out)), "r"(blockIdx.x * 64), "r"(blockIdx.y * 64) : "memory");
    asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;" ::: "memory");
  }
}

// A volume of floats by tiles of three dimensions, negated on the way: TMA in and out, several mbarriers.
extern "C" __global__ void volume(const __grid_constant__ Map in, const __grid_constant__ Map out) {
  __shared__ alignas(128) float tile[2][2][4][16];
  __shared__ uint64_t full[2];
  if (threadIdx.x < 2)
    barrierInit(&full[threadIdx.x], 1);
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  __syncthreads();
  if (threadIdx.x == 0)
    for (int s = 0; s < 2; ++s) {
      expect(&full[s], sizeof tile[s]);
      asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(sharedAddress(tile[s])), "l"(&in), "r"(sharedAddress(&full[s])), "r"(blockIdx.x * 16), "r"(blockIdx.y * 4), "r"(blockIdx.z * 4 + s * 2) : "memory");
    }
  for (int s = 0; s < 2; ++s) {
    wait(&full[s], 0);
    float *t = &tile[s][0][0][0];
    t[threadIdx.x] = -t[threadIdx.x];
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (threadIdx.x == 0) {
      asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&out), "r"(sharedAddress(tile[s])), "r"(blockIdx.x * 16), "r"(blockIdx.y * 4), "r"(blockIdx.z * 4 + s * 2) : "memory");
      asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
  }
  if (threadIdx.x == 0)
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

// Tensor-core kernels through nvcuda::wmma and through inline PTX: mma, ldmatrix, cp.async in several stages.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>
#include <mma.h>
using namespace nvcuda;

// One warp a 16 x 16 block of C.
template <class T, class In, class Acc, int K> __device__ void wmmaGemm(const In *A, const In *B, Acc *C, int n, int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, K, T, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, 16, 16, K, T, wmma::col_major> b;
  wmma::fragment<wmma::accumulator, 16, 16, K, Acc> c;
  wmma::fill_fragment(c, (Acc)0);
  int row = blockIdx.y * 16, col = blockIdx.x * 16;
  for (int i = 0; i < k; i += K) {
    wmma::load_matrix_sync(a, A + row * k + i, k);
    wmma::load_matrix_sync(b, B + col * k + i, k);
    wmma::mma_sync(c, a, b, c);
  }
  wmma::store_matrix_sync(C + row * n + col, c, n, wmma::mem_row_major);
}
extern "C" __global__ void wmmaHalf(const __half *A, const __half *B, float *C, int n, int k) { wmmaGemm<__half, __half, float, 16>(A, B, C, n, k); }
extern "C" __global__ void wmmaInt8(const signed char *A, const signed char *B, int *C, int n, int k) { wmmaGemm<signed char, signed char, int, 16>(A, B, C, n, k); }
#if __CUDA_ARCH__ >= 800
extern "C" __global__ void wmmaBrain(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C, int n, int k) { wmmaGemm<__nv_bfloat16, __nv_bfloat16, float, 16>(A, B, C, n, k); }
extern "C" __global__ void wmmaTf32(const float *A, const float *B, float *C, int n, int k) { wmmaGemm<wmma::precision::tf32, float, float, 8>(A, B, C, n, k); }
#endif

__device__ unsigned sharedAddress(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// m16n8k8 of Turing with ldmatrix: one warp, C[16, 8] = A[16, k] * B[k, 8]^T given as [8, k].
extern "C" __global__ void mmaTuring(const __half *A, const __half *B, float *C, int k) {
  __shared__ __align__(16) __half a[16][8], b[8][8];
  int lane = threadIdx.x;
  float c[4] = {0, 0, 0, 0};
  for (int i = 0; i < k; i += 8) {
    for (int e = lane; e < 128; e += 32)
      a[e / 8][e % 8] = A[(e / 8) * k + i + e % 8];
    for (int e = lane; e < 64; e += 32)
      b[e / 8][e % 8] = B[(e / 8) * k + i + e % 8];
    __syncwarp();
    unsigned ra0, ra1, rb;
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(ra0), "=r"(ra1) : "r"(sharedAddress(&a[lane % 16][0])));
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(rb) : "r"(sharedAddress(&b[lane % 8][0])));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(ra0), "r"(ra1), "r"(rb));
    __syncwarp();
  }
  int g = lane / 4, t = lane % 4;
  C[g * 8 + 2 * t] = c[0];
  C[g * 8 + 2 * t + 1] = c[1];
  C[(g + 8) * 8 + 2 * t] = c[2];
  C[(g + 8) * 8 + 2 * t + 1] = c[3];
}

#if __CUDA_ARCH__ >= 800
// C[64, 64] blocks of A[M, K] * B[K, N], four warps, mma.m16n8k16, ldmatrix (B transposed on the way), cp.async stages.
template <int stages> __device__ void gemmAsync(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C, int N, int K) {
  extern __shared__ __align__(128) unsigned char raw[];
  auto *a = reinterpret_cast<__nv_bfloat16 (*)[64][40]>(raw);                           // padded rows: no conflicts
  auto *b = reinterpret_cast<__nv_bfloat16 (*)[32][72]>(raw + stages * 64 * 40 * 2);
  int tid = threadIdx.x, warp = tid / 32, lane = tid % 32, row = blockIdx.y * 64, col = blockIdx.x * 64;
  auto fetch = [&](int s, int k) {
    for (int e = tid; e < 64 * 4; e += 128) {
      int r = e / 4, c = e % 4 * 8;
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sharedAddress(&a[s][r][c])), "l"(A + (row + r) * K + k + c) : "memory");
    }
    for (int e = tid; e < 32 * 8; e += 128) {
      int r = e / 8, c = e % 8 * 8;
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sharedAddress(&b[s][r][c])), "l"(B + (k + r) * N + col + c) : "memory");
    }
  };
  int tiles = K / 32;
  for (int s = 0; s < stages - 1; ++s) {
    if (s < tiles)
      fetch(s, s * 32);
    asm volatile("cp.async.commit_group;" ::: "memory");
  }
  float acc[8][4] = {};
  for (int t = 0; t < tiles; ++t) {
    asm volatile("cp.async.wait_group %0;" ::"n"(stages - 2) : "memory");
    __syncthreads();
    int s = t % stages;
    if (t + stages - 1 < tiles)
      fetch((t + stages - 1) % stages, (t + stages - 1) * 32);
    asm volatile("cp.async.commit_group;" ::: "memory");
    for (int k = 0; k < 32; k += 16) {
      unsigned ra[4];
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(ra[0]), "=r"(ra[1]), "=r"(ra[2]), "=r"(ra[3])
                   : "r"(sharedAddress(&a[s][warp * 16 + lane % 16][k + lane / 16 * 8])) : "memory");
      for (int n = 0; n < 8; ++n) {
        unsigned rb[2];
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(rb[0]), "=r"(rb[1]) : "r"(sharedAddress(&b[s][k + lane % 16][n * 8])) : "memory");
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(acc[n][0]), "+f"(acc[n][1]), "+f"(acc[n][2]), "+f"(acc[n][3])
                     : "r"(ra[0]), "r"(ra[1]), "r"(ra[2]), "r"(ra[3]), "r"(rb[0]), "r"(rb[1]));
      }
    }
  }
  int g = lane / 4, t = lane % 4;
  for (int n = 0; n < 8; ++n) {
    float *out = C + (row + warp * 16 + g) * N + col + n * 8 + 2 * t;
    *reinterpret_cast<float2 *>(out) = make_float2(acc[n][0], acc[n][1]);
    *reinterpret_cast<float2 *>(out + 8 * N) = make_float2(acc[n][2], acc[n][3]);
  }
}
extern "C" __global__ void gemm2(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C, int N, int K) { gemmAsync<2>(A, B, C, N, K); }
extern "C" __global__ void gemm4(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C, int N, int K) { gemmAsync<4>(A, B, C, N, K); }

// Wrong on purpose: the copy is read without a wait.
extern "C" __global__ void missingWait(const float *x, float *out) {
  __shared__ __align__(16) float s[128];
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(sharedAddress(&s[threadIdx.x])), "l"(x + threadIdx.x) : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  __syncthreads();
  out[threadIdx.x] = s[127 - threadIdx.x];
}

extern "C" __global__ void gemm3(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C, int N, int K) { gemmAsync<3>(A, B, C, N, K); }
#endif

// Scalar and block-level kernels: arithmetic in several types, reductions, scans, transposes, atomics, tiled sgemm.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdio>

extern "C" __global__ void saxpy(float a, const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * x[i] + y[i];
}

extern "C" __global__ void halves(const __half2 *x, const __half2 *y, __half2 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    out[i] = __hfma2(x[i], y[i], __hadd2(x[i], y[i]));
}

#if __CUDA_ARCH__ >= 800
extern "C" __global__ void brains(const __nv_bfloat162 *x, const __nv_bfloat162 *y, __nv_bfloat162 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    out[i] = __hfma2(x[i], y[i], __hadd2(x[i], y[i]));
}
#endif

extern "C" __global__ void functions(const float *x, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float v = x[i];
  out[i] = expf(v);
  out[n + i] = sinf(v);
  out[2 * n + i] = logf(fabsf(v) + 1.0f);
  out[3 * n + i] = tanhf(v);
  out[4 * n + i] = powf(fabsf(v) + 0.5f, 1.7f);
  out[5 * n + i] = rsqrtf(fabsf(v) + 1.0f);
  out[6 * n + i] = erff(v);
  out[7 * n + i] = __expf(v) / (1.0f + __expf(v));
}

extern "C" __global__ void integers(const int *x, const unsigned *y, long long *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  int a = x[i];
  unsigned b = y[i];
  long long r = (long long)a * b + __mulhi(a, (int)b) + __umulhi((unsigned)a, b);
  r ^= (long long)__popc(b) << 40;
  r += a / (int)(b % 1000 + 1) + a % (int)(b % 77 + 1);
  r += __clz(b) * 3 + __ffs(a) + __brev(b) + __byte_perm(a, b, 0x5140);
  r -= (unsigned long long)b / (unsigned long long)(i + 3);
  r += __funnelshift_l(a, b, i & 31) + __sad(a, (int)b, 7u) + (a << (i & 7)) + (a >> (i & 15));
  r ^= __dp4a(a, (int)b, i);
  r += max(a, (int)b) - min(b, 12345u);
  out[i] = r;
}

extern "C" __global__ void doubles(const double *x, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    out[i] = sqrt(x[i] * x[i] + 1.0) / (x[i] + 3.0) + exp(-x[i]);
}

// Sum of a row by shuffles, then across warps through shared memory.
extern "C" __global__ void reduce(const float *x, float *out, int columns) {
  __shared__ float partial[32];
  float sum = 0;
  for (int c = threadIdx.x; c < columns; c += blockDim.x)
    sum += x[blockIdx.x * columns + c];
  for (int d = 16; d; d >>= 1)
    sum += __shfl_xor_sync(~0u, sum, d);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (lane == 0)
    partial[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    sum = lane < blockDim.x / 32 ? partial[lane] : 0;
    for (int d = 16; d; d >>= 1)
      sum += __shfl_down_sync(~0u, sum, d);
    if (lane == 0)
      out[blockIdx.x] = sum;
  }
}

// Inclusive scan of 1024 values by Hillis and Steele, in shared memory.
extern "C" __global__ void scan(const int *x, int *out) {
  __shared__ int s[2][1024];
  int t = threadIdx.x, from = 0;
  s[0][t] = x[blockIdx.x * 1024 + t];
  __syncthreads();
  for (int d = 1; d < 1024; d *= 2) {
    s[1 - from][t] = s[from][t] + (t >= d ? s[from][t - d] : 0);
    from = 1 - from;
    __syncthreads();
  }
  out[blockIdx.x * 1024 + t] = s[from][t];
}

template <int pad> __device__ void transposeTile(const float *in, float *out, int n) {
  __shared__ float tile[32][32 + pad];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * n + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    out[(y + j) * n + x] = tile[threadIdx.x][threadIdx.y + j];
}
extern "C" __global__ void transposeConflicts(const float *in, float *out, int n) { transposeTile<0>(in, out, n); }
extern "C" __global__ void transposePadded(const float *in, float *out, int n) { transposeTile<1>(in, out, n); }

extern "C" __global__ void histogram(const unsigned char *x, unsigned *bins, float *sum, int n) {
  __shared__ unsigned local[256];
  local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += 256 * gridDim.x) {
    atomicAdd(&local[x[i]], 1u);
    atomicAdd(sum, (float)x[i]);
  }
  __syncthreads();
  atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

extern "C" __global__ void sgemm(const float *A, const float *B, float *C, int M, int N, int K) {
  __shared__ float a[16][16], b[16][16];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * 16 + ty, col = blockIdx.x * 16 + tx;
  float acc = 0;
  for (int k = 0; k < K; k += 16) {
    a[ty][tx] = row < M && k + tx < K ? A[row * K + k + tx] : 0;
    b[ty][tx] = k + ty < K && col < N ? B[(k + ty) * N + col] : 0;
    __syncthreads();
    for (int i = 0; i < 16; ++i)
      acc += a[ty][i] * b[i][tx];
    __syncthreads();
  }
  if (row < M && col < N)
    C[row * N + col] = acc;
}

// Divergence: nested loops whose trip counts differ by lane, a switch, a break.
extern "C" __global__ void collatz(const int *x, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  long long v = x[i];
  int steps = 0;
  while (v != 1) {
    if (v & 1)
      v = 3 * v + 1;
    else
      v /= 2;
    if (++steps > 500)
      break;
  }
  switch (i % 5) {
  case 0: steps += 1; break;
  case 1: steps *= 2; break;
  case 2: steps -= 3; break;
  case 3: steps ^= 5; break;
  default: break;
  }
  out[i] = steps;
}

__device__ __noinline__ float polynomial(const float *c, int n, float x) {
  float r = 0;
  for (int i = n - 1; i >= 0; --i)
    r = r * x + c[i];
  return r;
}
extern "C" __global__ void calls(const float *x, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float c[4] = {1.0f, x[i], 2.0f, 0.5f};
  c[i & 3] += 1.0f;
  out[i] = i & 1 ? polynomial(c, 4, x[i]) : polynomial(c + 1, 3, x[i] * 2);
}

// A lock taken by every lane of a warp in turn: needs independent progress of diverged lanes.
extern "C" __global__ void locked(int *lock, int *counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *(volatile int *)counter = *(volatile int *)counter + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

__constant__ float table[8] = {1, 2, 4, 8, 16, 32, 64, 128};
__device__ int launches = 5;
extern "C" __global__ void constants(float *out) {
  out[threadIdx.x] = table[threadIdx.x & 7];
  if (threadIdx.x == 0)
    atomicAdd(&launches, 1);
}

extern "C" __global__ void collectives(const int *x, int *out) {
  int lane = threadIdx.x, v = x[lane];
  unsigned even = __ballot_sync(~0u, v % 2 == 0);
  int r = __popc(even) + (__any_sync(~0u, v > 90) ? 1000 : 0) + (__all_sync(~0u, v >= 0) ? 2000 : 0);
  unsigned same = __match_any_sync(~0u, v % 4);
  if (v % 2 == 0)
    r += __shfl_sync(even, v, __ffs(even) - 1);
  r += __popc(same) * 10;
#if __CUDA_ARCH__ >= 800
  r += __reduce_max_sync(~0u, v) + (int)__reduce_add_sync(~0u, (unsigned)v);
#endif
  out[lane] = r;
}

// Wrong on purpose, for the checker.
extern "C" __global__ void outOfBounds(float *x, int n) { x[blockIdx.x * blockDim.x + threadIdx.x] = n; }
extern "C" __global__ void missingBarrier(const float *x, float *out) {
  __shared__ float s[256];
  s[threadIdx.x] = 0;
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = s[255 - threadIdx.x];
}
extern "C" __global__ void uninitialised(float *out) {
  __shared__ float s[64];
  if (threadIdx.x < 32)
    s[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}
extern "C" __global__ void divergentBarrier(int *out) {
  if (threadIdx.x < 32)
    asm volatile("bar.sync 1, 64;");
  else
    asm volatile("bar.sync 2, 64;");
  out[threadIdx.x] = 1;
}
extern "C" __global__ void misaligned(char *x) { *(int *)(x + threadIdx.x) = 1; }
extern "C" __global__ void talks(int n) {
  if (threadIdx.x < 2)
    printf("thread %d of %s: %.2f\n", threadIdx.x, "talks", n * 0.5);
}

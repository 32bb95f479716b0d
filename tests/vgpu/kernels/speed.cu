// Kernels for bench/vgpu_bench: a mix of ALU, FMA, loads and stores; tensor-core instructions alone.
#include <cstdint>

extern "C" __global__ void mix(float *x, int rounds) {
  __shared__ float s[256];
  int t = threadIdx.x;
  float a = x[blockIdx.x * 256 + t], b = 0.5f;
  unsigned u = t;
  s[t] = a;
  for (int i = 0; i < rounds; ++i) {
    a = a * 0.99f + b;
    u = u * 5 + i;
    b = b * 0.98f + a;
    u ^= u >> 3;
    s[t] = a;
    a += s[t ^ 1 & ~31] * 0.001f + (float)(u & 7);
    u += i;
    b = b - a * 0.01f;
  }
  x[blockIdx.x * 256 + t] = a + b + u;
}

extern "C" __global__ void tensor(float *out, int rounds) {
  float c[4][4] = {};
  unsigned a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {4, 5};
  for (int i = 0; i < rounds; ++i)
    for (int k = 0; k < 4; ++k)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                   : "+f"(c[k][0]), "+f"(c[k][1]), "+f"(c[k][2]), "+f"(c[k][3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  out[blockIdx.x * 32 + threadIdx.x] = c[0][0] + c[1][1] + c[2][2] + c[3][3];
}

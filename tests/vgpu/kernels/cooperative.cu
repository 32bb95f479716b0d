// Kernels in which blocks or warps wait for each other: grid synchronisation, producers and consumers.
#include <cooperative_groups.h>

extern "C" __global__ void gridSum(const int *x, int *partial, int *out, int n) {
  auto grid = cooperative_groups::this_grid();
  int sum = 0;
  for (int i = grid.thread_rank(); i < n; i += grid.size())
    sum += x[i];
  atomicAdd(&partial[blockIdx.x], sum);
  grid.sync();
  if (grid.thread_rank() == 0) {
    int total = 0;
    for (int b = 0; b < gridDim.x; ++b)
      total += ((volatile int *)partial)[b];
    *out = total;
  }
}

// Warp 0 fills two buffers in turn, the others consume them: named barriers with counts.
extern "C" __global__ void producerConsumer(const float *x, float *out, int tiles) {
  __shared__ float buffer[2][128];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (warp == 0) {
    for (int t = 0; t < tiles; ++t) {
      int b = t & 1;
      if (t >= 2)
        asm volatile("bar.sync %0, 160;" ::"r"(3 + b) : "memory"); // empty
      for (int i = lane; i < 128; i += 32)
        buffer[b][i] = x[t * 128 + i];
      asm volatile("bar.arrive %0, 160;" ::"r"(1 + b) : "memory"); // full
    }
  } else {
    float sum = 0;
    int me = threadIdx.x - 32;
    for (int t = 0; t < tiles; ++t) {
      int b = t & 1;
      asm volatile("bar.sync %0, 160;" ::"r"(1 + b) : "memory");
      sum += buffer[b][127 - me];
      if (t + 2 < tiles)
        asm volatile("bar.arrive %0, 160;" ::"r"(3 + b) : "memory");
    }
    out[me] = sum;
  }
}

// Compiled by NVRTC (CUDA 13.0) for compute_80 and compute_90.
extern "C" __global__ void rotate(const float2 *x, float2 *y, float angle, int n) {
  __shared__ float2 tile[128];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float s, c;
  __sincosf(angle, &s, &c);
  if (i < n)
    tile[threadIdx.x] = x[i];
  __syncthreads();
  if (i < n) {
    float2 v = tile[threadIdx.x];
    y[i] = make_float2(c * v.x - s * v.y, s * v.x + c * v.y);
  }
}

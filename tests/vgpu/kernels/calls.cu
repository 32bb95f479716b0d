// Calls of every kind: recursion with local arrays, pointers to functions, virtual functions, printf, assert, trap.
#include <cassert>
#include <cstdio>

// Each lane goes to a depth of its own; both branches of the recursion keep values across the other.
__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

// Mutual recursion, with an array of the caller that the callee writes through a pointer.
__device__ __noinline__ int odd(int n, int *trail, int depth);
__device__ __noinline__ int even(int n, int *trail, int depth) {
  int mine[3] = {n, n + 1, depth};
  if (n == 0)
    return trail[depth % 3] + 1000;
  int r = odd(n - 1, mine, depth + 1);
  return r + mine[0] + trail[0];
}
__device__ __noinline__ int odd(int n, int *trail, int depth) {
  int mine[3] = {2 * n, depth, n};
  trail[0] += depth;
  if (n == 0)
    return trail[1] + 2000;
  int r = even(n - 1, mine, depth + 1);
  return r ^ mine[2] ^ trail[0];
}

extern "C" __global__ void recursion(const int *x, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  int start[3] = {x[i], 7, 9};
  int f = fibonacci(x[i] % 11);
  int e = even(x[i] % 7, start, 0);
  out[i] = f * 100000 + (e ^ start[0]);
}

// In place on the thread's own row, first around a pivot and then both sides.
__device__ __noinline__ void quicksort(int *a, int low, int high) {
  if (low >= high)
    return;
  int pivot = a[(low + high) / 2], i = low, j = high;
  while (i <= j) {
    while (a[i] < pivot)
      ++i;
    while (a[j] > pivot)
      --j;
    if (i <= j) {
      int t = a[i];
      a[i++] = a[j];
      a[j--] = t;
    }
  }
  quicksort(a, low, j);
  quicksort(a, i, high);
}
extern "C" __global__ void sortRows(int *rows, int columns) { quicksort(rows + threadIdx.x * columns, 0, columns - 1); }

__device__ __noinline__ float addOne(float a, float b) { return a + b + 1; }
__device__ __noinline__ float times(float a, float b) { return a * b; }
__device__ __noinline__ float larger(float a, float b) { return a > b ? a : b; }
typedef float (*Binary)(float, float);
__device__ Binary table[3] = {addOne, times, larger};

extern "C" __global__ void pointers(const int *which, const float *a, const float *b, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float r = 0;
  for (int k = 0; k < 2; ++k)
    if (i < n)
      r = table[(which[i] + k) % 3](r + a[i], b[i]);
  if (i < n)
    out[i] = r;
}

struct Shape {
  __device__ virtual float area() const = 0;
  __device__ virtual int sides() const { return 4; }
  float size;
};
struct Square : Shape {
  __device__ float area() const override { return size * size; }
};
struct Triangle : Shape {
  __device__ float area() const override { return 0.5f * size * size; }
  __device__ int sides() const override { return 3; }
};
struct Tower : Shape { // asks other shapes: virtual calls inside virtual calls
  Shape *below;
  __device__ float area() const override { return size + below->area(); }
  __device__ int sides() const override { return 1 + below->sides(); }
};

extern "C" __global__ void virtuals(const int *which, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  Square square;
  Triangle triangle;
  Tower low, high;
  square.size = i;
  triangle.size = 2 * i;
  low.size = 0.25f;
  low.below = which[i] & 1 ? (Shape *)&square : (Shape *)&triangle;
  high.size = 0.5f;
  high.below = &low;
  Shape *list[4] = {&square, &triangle, &low, &high};
  Shape *s = list[which[i] % 4];
  out[i] = s->area() * 10 + s->sides();
}

// What a thread says on the way down comes in the order of its steps.
__device__ __noinline__ int countdown(int n) {
  printf("at %d of %s, %.1f%% %c\n", n, "countdown", n * 12.5, 'a' + n);
  return n == 0 ? 0 : 1 + countdown(n - 1);
}
extern "C" __global__ void talking(int *out) { *out = countdown(3); }

extern "C" __global__ void asserts(const int *x, int limit) {
  int v = x[threadIdx.x];
  assert(v < limit);
}
extern "C" __global__ void traps(const int *x) {
  if (x[threadIdx.x] == 5)
    __trap();
}
// Wrong on purpose: goes down for ever; and calls what is no function.
__device__ __noinline__ int endless(int n, int *seen) {
  int mine[8];
  mine[n & 7] = seen[n & 7];
  return endless(n + 1, mine) + mine[n & 7];
}
extern "C" __global__ void overflows(int *out) { *out = endless(0, out); }
extern "C" __global__ void wild(long long address, float *out) { *out = ((Binary)address)(1, 2); }

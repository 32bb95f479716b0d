// Memory of the virtual driver: managed, of the host, pools, virtual addresses, boxes, peers, and what pointers are.
#include "runtime/vgpu/driver/abi.h"
#include "tests/vgpu/cuda_api.h"
#include <cstring>

using tessera::vgpu::driver::AllocationProp;
using tessera::vgpu::driver::MemAccess;
using tessera::vgpu::driver::Memcpy2D;
using tessera::vgpu::driver::Memcpy3D;
using tessera::vgpu::driver::PoolProps;

extern "C" {
int cuCtxEnablePeerAccess(void *, unsigned);
int cuCtxDisablePeerAccess(void *);
int cuCtxCreate_v2(void **, unsigned, int);
int cuCtxDestroy_v2(void *);
int cuMemAllocManaged(CUdeviceptr *, size_t, unsigned);
int cuMemHostAlloc(void **, size_t, unsigned);
int cuMemFreeHost(void *);
int cuMemHostRegister_v2(void *, size_t, unsigned);
int cuMemHostUnregister(void *);
int cuMemHostGetDevicePointer_v2(CUdeviceptr *, void *, unsigned);
int cuMemcpy(CUdeviceptr, CUdeviceptr, size_t);
int cuMemcpy2D_v2(const Memcpy2D *);
int cuMemcpy3D_v2(const Memcpy3D *);
int cuMemsetD2D16_v2(CUdeviceptr, size_t, unsigned short, size_t, size_t);
int cuMemAllocPitch_v2(CUdeviceptr *, size_t *, size_t, size_t, unsigned);
int cuMemAllocAsync(CUdeviceptr *, size_t, void *);
int cuMemAllocFromPoolAsync(CUdeviceptr *, size_t, void *, void *);
int cuMemFreeAsync(CUdeviceptr, void *);
int cuMemPoolCreate(void **, const PoolProps *);
int cuMemPoolDestroy(void *);
int cuMemPoolGetAttribute(void *, int, void *);
int cuMemPoolSetAttribute(void *, int, void *);
int cuDeviceGetDefaultMemPool(void **, int);
int cuDeviceGetMemPool(void **, int);
int cuDeviceSetMemPool(int, void *);
int cuMemGetAllocationGranularity(size_t *, const AllocationProp *, int);
int cuMemCreate(uint64_t *, size_t, const AllocationProp *, unsigned long long);
int cuMemRelease(uint64_t);
int cuMemAddressReserve(CUdeviceptr *, size_t, size_t, CUdeviceptr, unsigned long long);
int cuMemAddressFree(CUdeviceptr, size_t);
int cuMemMap(CUdeviceptr, size_t, size_t, uint64_t, unsigned long long);
int cuMemUnmap(CUdeviceptr, size_t);
int cuMemSetAccess(CUdeviceptr, size_t, const MemAccess *, size_t);
int cuPointerGetAttribute(void *, int, CUdeviceptr);
int cuPointerGetAttributes(unsigned, const int *, void **, CUdeviceptr);
}

namespace {

const char *const increment = ".version 7.0\n.target sm_75\n.address_size 64\n"
                              ".visible .entry increment(.param .u64 p)\n{\n"
                              ".reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n"
                              "ld.param.u64 %rd1, [p];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\n"
                              "add.s64 %rd3, %rd1, %rd2;\nld.global.u32 %r2, [%rd3];\nadd.u32 %r3, %r2, 1;\n"
                              "st.global.u32 [%rd3], %r3;\nret;\n}\n";

class DeviceMemory : public VirtualGpu {
protected:
  int run(CUdeviceptr p) { return launch(function(loadText(increment), "increment"), {1}, {32}, 0, p); }
  // Undoes a failure that sticks.
  void again() {
    TearDown();
    SetUp();
  }
  template <class T> T asked(int attribute, CUdeviceptr p) {
    T value{};
    EXPECT_EQ(cuPointerGetAttribute(&value, attribute, p), 0) << attribute;
    return value;
  }
};

TEST_F(DeviceMemory, ManagedMemoryIsTheHostsAndEveryDevices) {
  CUdeviceptr p = 0;
  EXPECT_EQ(cuMemAllocManaged(&p, 128, 0), 1) << "attached to nothing";
  ASSERT_EQ(cuMemAllocManaged(&p, 128, 1), 0);
  auto *host = reinterpret_cast<int *>(p);
  for (int i = 0; i < 32; ++i)
    host[i] = i;
  ASSERT_EQ(run(p), 0) << findings();
  EXPECT_EQ(host[31], 32);
  void *other = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&other, 1), 0);
  ASSERT_EQ(cuCtxSetCurrent(other), 0);
  ASSERT_EQ(run(p), 0) << findings();
  EXPECT_EQ(host[31], 33);
  EXPECT_EQ(asked<int>(8, p), 1) << "managed";
  ASSERT_EQ(cuMemFree_v2(p), 0);
  EXPECT_EQ(run(p), 700) << "freed on every device";
  cuDevicePrimaryCtxReset_v2(1);
}

TEST_F(DeviceMemory, HostMemoryIsReachedWhereItIs) {
  void *pinned = nullptr;
  ASSERT_EQ(cuMemHostAlloc(&pinned, 128, 2), 0);
  std::memset(pinned, 0, 128);
  CUdeviceptr p = 0;
  ASSERT_EQ(cuMemHostGetDevicePointer_v2(&p, pinned, 0), 0);
  ASSERT_EQ(run(p), 0) << findings();
  EXPECT_EQ(static_cast<int *>(pinned)[5], 1);
  EXPECT_EQ(asked<int>(2, p), 1) << "the host's";
  EXPECT_EQ(cuMemHostUnregister(pinned), 713);
  ASSERT_EQ(cuMemFreeHost(pinned), 0);
  EXPECT_EQ(cuMemFreeHost(pinned), 1) << "freed twice";
  std::vector<int> own(64, 7);
  ASSERT_EQ(cuMemHostRegister_v2(own.data(), 256, 0), 0);
  EXPECT_EQ(cuMemHostRegister_v2(own.data() + 8, 16, 0), 712);
  EXPECT_EQ(cuMemFreeHost(own.data()), 1) << "registered, not allocated";
  ASSERT_EQ(run(CUdeviceptr(own.data())), 0) << findings();
  EXPECT_EQ(own[31], 8);
  ASSERT_EQ(cuMemHostUnregister(own.data()), 0);
  EXPECT_EQ(cuMemHostUnregister(own.data()), 713);
  EXPECT_EQ(run(CUdeviceptr(own.data())), 700) << "nobody's any more";
}

TEST_F(DeviceMemory, PoolsCountWhatTheyGave) {
  void *pool = nullptr, *normal = nullptr, *now = nullptr, *stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  ASSERT_EQ(cuDeviceGetDefaultMemPool(&normal, 0), 0);
  EXPECT_EQ(cuMemPoolDestroy(normal), 1) << "the default pool stays";
  PoolProps props{};
  props.allocType = 1;
  props.location = {1, 0};
  props.maxSize = 1 << 20;
  ASSERT_EQ(cuMemPoolCreate(&pool, &props), 0);
  ASSERT_EQ(cuDeviceSetMemPool(0, pool), 0);
  ASSERT_EQ(cuDeviceGetMemPool(&now, 0), 0);
  EXPECT_EQ(now, pool);
  CUdeviceptr a = 0, b = 0;
  ASSERT_EQ(cuMemAllocAsync(&a, 600 << 10, stream), 0);
  EXPECT_EQ(cuMemAllocAsync(&b, 600 << 10, stream), 2) << "more than the pool may have";
  ASSERT_EQ(cuMemAllocFromPoolAsync(&b, 4096, normal, stream), 0);
  uint64_t used = 0, high = 0;
  ASSERT_EQ(cuMemPoolGetAttribute(pool, 7, &used), 0);
  EXPECT_EQ(used, 600u << 10);
  EXPECT_EQ(asked<void *>(17, a), pool);
  ASSERT_EQ(run(a), 0) << findings();
  ASSERT_EQ(cuMemFreeAsync(a, stream), 0);
  EXPECT_EQ(cuMemFreeAsync(a, stream), 1) << "freed twice";
  ASSERT_EQ(cuMemPoolGetAttribute(pool, 7, &used), 0);
  ASSERT_EQ(cuMemPoolGetAttribute(pool, 8, &high), 0);
  EXPECT_EQ(used, 0u);
  EXPECT_EQ(high, 600u << 10);
  uint64_t threshold = 1 << 16;
  ASSERT_EQ(cuMemPoolSetAttribute(pool, 4, &threshold), 0);
  ASSERT_EQ(cuMemPoolDestroy(pool), 0);
  ASSERT_EQ(cuDeviceGetMemPool(&now, 0), 0);
  EXPECT_EQ(now, normal);
}

TEST_F(DeviceMemory, VirtualAddressesAreMappedSharedAndTakenBack) {
  AllocationProp prop{};
  prop.type = 1;
  prop.location = {1, 0};
  size_t piece = 0, free = 0, total = 0, later = 0;
  ASSERT_EQ(cuMemGetAllocationGranularity(&piece, &prop, 0), 0);
  ASSERT_EQ(cuMemGetInfo_v2(&free, &total), 0);
  uint64_t first = 0, second = 0;
  EXPECT_EQ(cuMemCreate(&first, piece + 1, &prop, 0), 1) << "no multiple of the granularity";
  EXPECT_EQ(cuMemCreate(&first, (total / piece + 1) * piece, &prop, 0), 2);
  ASSERT_EQ(cuMemCreate(&first, piece, &prop, 0), 0);
  ASSERT_EQ(cuMemCreate(&second, piece, &prop, 0), 0);
  ASSERT_EQ(cuMemGetInfo_v2(&later, &total), 0);
  EXPECT_EQ(free - later, 2 * piece);
  CUdeviceptr p = 0, again = 0;
  ASSERT_EQ(cuMemAddressReserve(&p, 4 * piece, 0, 0, 0), 0);
  ASSERT_EQ(cuMemMap(p, piece, 0, first, 0), 0);
  EXPECT_EQ(cuMemMap(p, piece, 0, second, 0), 1) << "mapped already";
  ASSERT_EQ(cuMemMap(p + piece, piece, 0, second, 0), 0);
  EXPECT_EQ(cuMemsetD8_v2(p, 1, 16), 1) << "no access yet";
  MemAccess access{{1, 0}, 3};
  ASSERT_EQ(cuMemSetAccess(p, 2 * piece, &access, 1), 0);
  ASSERT_EQ(cuMemsetD8_v2(p, 0, 2 * piece), 0) << "both pieces are one stretch";
  ASSERT_EQ(run(p + piece - 64), 0) << findings();
  EXPECT_EQ(download<int>(p + piece - 64, 32), std::vector<int>(32, 1));
  // The same physical memory elsewhere.
  ASSERT_EQ(cuMemAddressReserve(&again, piece, 0, 0, 0), 0);
  ASSERT_EQ(cuMemMap(again, piece, 0, second, 0), 0);
  ASSERT_EQ(cuMemSetAccess(again, piece, &access, 1), 0);
  EXPECT_EQ(download<int>(again, 16), std::vector<int>(16, 1));
  EXPECT_EQ(cuMemAddressFree(again, piece), 1) << "still mapped";
  ASSERT_EQ(cuMemRelease(first), 0);
  ASSERT_EQ(cuMemRelease(second), 0);
  EXPECT_EQ(cuMemRelease(second), 1);
  EXPECT_EQ(download<int>(again, 16), std::vector<int>(16, 1)) << "mappings keep it";
  ASSERT_EQ(cuMemUnmap(p, 2 * piece), 0);
  ASSERT_EQ(cuMemUnmap(again, piece), 0);
  ASSERT_EQ(cuMemAddressFree(p, 4 * piece), 0);
  ASSERT_EQ(cuMemAddressFree(again, piece), 0);
  ASSERT_EQ(cuMemGetInfo_v2(&later, &total), 0);
  EXPECT_EQ(later, free);
  EXPECT_EQ(run(p), 700) << "unmapped";
}

TEST_F(DeviceMemory, BoxesAreCopiedByTheirPitches) {
  CUdeviceptr p = 0;
  size_t pitch = 0;
  ASSERT_EQ(cuMemAllocPitch_v2(&p, &pitch, 100, 8, 4), 0);
  EXPECT_EQ(pitch % 512, 0u);
  ASSERT_EQ(cuMemsetD2D16_v2(p, pitch, 0x0101, 50, 8), 0);
  std::vector<unsigned char> plane(8 * 40, 9);
  Memcpy2D c{};
  c.srcType = 2, c.srcDevice = p, c.srcPitch = pitch, c.srcX = 4, c.srcY = 1;
  c.dstType = 1, c.dstHost = plane.data(), c.dstPitch = 40, c.dstX = 2;
  c.width = 30, c.height = 7;
  ASSERT_EQ(cuMemcpy2D_v2(&c), 0);
  for (size_t y = 0; y < 8; ++y)
    for (size_t x = 0; x < 40; ++x)
      EXPECT_EQ(plane[y * 40 + x], y < 7 && x >= 2 && x < 32 ? 1 : 9) << y << " " << x;
  c.height = 8;
  EXPECT_EQ(cuMemcpy2D_v2(&c), 1) << "one row too many";
  c.height = 7, c.dstPitch = 31;
  EXPECT_EQ(cuMemcpy2D_v2(&c), 1) << "a pitch smaller than the row";
  c.srcType = 3;
  EXPECT_EQ(cuMemcpy2D_v2(&c), 1) << "arrays do not exist";
  // A box of 2 x 3 x 4 bytes out of one of 4 x 5 x 6.
  std::vector<unsigned char> from(120), to(24);
  for (size_t i = 0; i < from.size(); ++i)
    from[i] = (unsigned char)i;
  auto d = upload(from);
  Memcpy3D box{};
  box.srcType = 2, box.srcDevice = d, box.srcPitch = 6, box.srcHeight = 5, box.srcX = 1, box.srcY = 1, box.srcZ = 2;
  box.dstType = 1, box.dstHost = to.data(), box.dstPitch = 4, box.dstHeight = 3;
  box.width = 4, box.height = 3, box.depth = 2;
  ASSERT_EQ(cuMemcpy3D_v2(&box), 0);
  EXPECT_EQ(to[0], 2 * 30 + 1 * 6 + 1);
  EXPECT_EQ(to[23], 3 * 30 + 3 * 6 + 4);
  box.srcZ = SIZE_MAX / 2;
  EXPECT_EQ(cuMemcpy3D_v2(&box), 1) << "beyond all addresses";
}

TEST_F(DeviceMemory, PeersAreReachedAfterTheyWereAskedFor) {
  auto here = zeros<int>(32);
  void *other = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&other, 1), 0);
  ASSERT_EQ(cuCtxSetCurrent(other), 0);
  EXPECT_EQ(cuCtxDisablePeerAccess(context), 705);
  ASSERT_EQ(cuCtxEnablePeerAccess(context, 0), 0);
  EXPECT_EQ(cuCtxEnablePeerAccess(context, 0), 704);
  EXPECT_EQ(cuCtxEnablePeerAccess(other, 0), 101) << "itself";
  ASSERT_EQ(run(here), 0) << findings();
  EXPECT_EQ(download<int>(here, 32), std::vector<int>(32, 1));
  ASSERT_EQ(cuCtxDisablePeerAccess(context), 0);
  EXPECT_EQ(run(here), 700);
  EXPECT_EQ(cuCtxSynchronize(), 700) << "it stays with that context";
  cuDevicePrimaryCtxReset_v2(1);
  ASSERT_EQ(cuCtxSetCurrent(context), 0);
  EXPECT_EQ(cuCtxSynchronize(), 0) << "and with no other";
}

TEST_F(DeviceMemory, PointersAreDescribed) {
  auto p = zeros<int>(100);
  EXPECT_EQ(asked<void *>(1, p + 4), context);
  EXPECT_EQ(asked<int>(2, p), 2);
  EXPECT_EQ(asked<CUdeviceptr>(11, p + 40), p);
  EXPECT_EQ(asked<size_t>(12, p + 40), 400u);
  EXPECT_EQ(asked<int>(9, p), 0);
  EXPECT_EQ(asked<int>(8, p), 0);
  int here = 0, type = 9, ordinal = 9;
  EXPECT_EQ(cuPointerGetAttribute(&type, 2, CUdeviceptr(&here)), 1) << "nobody's";
  const int attributes[] = {2, 9};
  void *answers[] = {&type, &ordinal};
  ASSERT_EQ(cuPointerGetAttributes(2, attributes, answers, CUdeviceptr(&here)), 0);
  EXPECT_EQ(type, 0);
  EXPECT_EQ(ordinal, -2);
}

TEST_F(DeviceMemory, AContextTakesItsMemoryAlong) {
  size_t before = 0, after = 0, total = 0;
  ASSERT_EQ(cuMemGetInfo_v2(&before, &total), 0);
  void *own = nullptr;
  CUdeviceptr p = 0;
  ASSERT_EQ(cuCtxCreate_v2(&own, 0, 0), 0);
  ASSERT_EQ(cuMemAlloc_v2(&p, 1 << 20), 0);
  ASSERT_EQ(cuCtxDestroy_v2(own), 0);
  ASSERT_EQ(cuMemGetInfo_v2(&after, &total), 0) << "the context from before is current again";
  EXPECT_EQ(after, before);
  EXPECT_EQ(cuMemFree_v2(p), 1);
}

} // namespace

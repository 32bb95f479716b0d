// The part of the CUDA driver API that the runtime calls: our own prototypes, so that no toolkit is needed to build.
// Source: NVIDIA's CUDA Driver API reference. A name with _v2 is the one that cuda.h maps the plain name to.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tessera::driver {

using CuResult = int; // 0 = success
using CuDevice = int;
using CuPointer = unsigned long long;
using CuContext = struct CuContextObject *;
using CuModule = struct CuModuleObject *;
using CuFunction = struct CuFunctionObject *;
using CuStream = struct CuStreamObject *;
using CuEvent = struct CuEventObject *;
using CuGraph = struct CuGraphObject *;
using CuGraphExec = struct CuGraphExecObject *;

enum CuDeviceAttribute : int {
  cuMultiprocessors = 16,
  cuCapabilityMajor = 75,
  cuCapabilityMinor = 76,
  cuSharedBytesPerBlockOptIn = 97,
};
enum CuFunctionAttribute : int { cuMaxThreadsPerBlock = 0, cuStaticSharedBytes = 1, cuMaxDynamicSharedBytes = 8 };
enum CuJitOption : int { cuJitErrorLogBuffer = 5, cuJitErrorLogBufferBytes = 6 };

// Recording restricts no other call of this thread or of another: the runtime allocates and frees as it likes.
inline constexpr int cuCaptureRelaxed = 2;

inline constexpr CuResult cuSuccess = 0, cuOutOfMemory = 2, cuNoDevice = 100;

// One loaded library's entry points, by the vendor's names without "cu". Those that may be null say so.
struct CudaApi {
  CuResult (*init)(unsigned flags);
  CuResult (*driverGetVersion)(int *version);
  CuResult (*getErrorName)(CuResult error, const char **name);
  CuResult (*getErrorString)(CuResult error, const char **text);

  CuResult (*deviceGetCount)(int *count);
  CuResult (*deviceGet)(CuDevice *device, int ordinal);
  CuResult (*deviceGetName)(char *name, int bytes, CuDevice device);
  CuResult (*deviceTotalMem)(size_t *bytes, CuDevice device);
  CuResult (*deviceGetAttribute)(int *value, int attribute, CuDevice device);
  CuResult (*devicePrimaryCtxRetain)(CuContext *context, CuDevice device);
  CuResult (*devicePrimaryCtxRelease)(CuDevice device);
  CuResult (*ctxPushCurrent)(CuContext context);
  CuResult (*ctxPopCurrent)(CuContext *context);
  CuResult (*ctxSynchronize)();

  CuResult (*moduleLoadDataEx)(CuModule *module, const void *image, unsigned options, int *names, void **values);
  CuResult (*moduleUnload)(CuModule module);
  CuResult (*moduleGetFunction)(CuFunction *function, CuModule module, const char *name);
  CuResult (*funcGetAttribute)(int *value, int attribute, CuFunction function);
  CuResult (*funcSetAttribute)(CuFunction function, int attribute, int value);
  CuResult (*funcGetParamInfo)(CuFunction function, size_t index, size_t *offset, size_t *bytes); // null before 12.4
  CuResult (*launchKernel)(CuFunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                           unsigned blockY, unsigned blockZ, unsigned sharedBytes, CuStream stream, void **parameters,
                           void **extra);

  CuResult (*memGetInfo)(size_t *free, size_t *total);
  CuResult (*memAlloc)(CuPointer *address, size_t bytes);
  CuResult (*memFree)(CuPointer address);
  CuResult (*memHostAlloc)(void **memory, size_t bytes, unsigned flags);
  CuResult (*memFreeHost)(void *memory);
  CuResult (*memcpyHtoD)(CuPointer to, const void *from, size_t bytes);
  CuResult (*memcpyDtoH)(void *to, CuPointer from, size_t bytes);
  CuResult (*memcpyHtoDAsync)(CuPointer to, const void *from, size_t bytes, CuStream stream);
  CuResult (*memcpyDtoHAsync)(void *to, CuPointer from, size_t bytes, CuStream stream);

  CuResult (*streamCreate)(CuStream *stream, unsigned flags);
  CuResult (*streamDestroy)(CuStream stream);
  CuResult (*streamSynchronize)(CuStream stream);
  CuResult (*eventCreate)(CuEvent *event, unsigned flags);
  CuResult (*eventDestroy)(CuEvent event);
  CuResult (*eventRecord)(CuEvent event, CuStream stream);
  CuResult (*eventSynchronize)(CuEvent event);
  CuResult (*eventElapsedTime)(float *milliseconds, CuEvent from, CuEvent to);

  CuResult (*streamBeginCapture)(CuStream stream, int mode);
  CuResult (*streamEndCapture)(CuStream stream, CuGraph *graph);
  CuResult (*graphInstantiate)(CuGraphExec *made, CuGraph graph, unsigned long long flags);
  CuResult (*graphLaunch)(CuGraphExec graph, CuStream stream);
  CuResult (*graphDestroy)(CuGraph graph);
  CuResult (*graphExecDestroy)(CuGraphExec graph);

  // Null before CUDA 12.0.
  CuResult (*tensorMapEncodeTiled)(void *map, int elementType, unsigned rank, void *address, const uint64_t *sizes,
                                   const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                                   int swizzle, int promotion, int fill);

  // Only in the virtual driver, else null: what runtime/vgpu/driver/api_tessera.cpp says.
  const char *(*vgpuChips)();
  CuResult (*vgpuOpenChip)(const char *id, int *ordinal);
  size_t (*vgpuLastFindings)(int device, char *buffer, size_t bytes);
  size_t (*vgpuLastReport)(int device, char *buffer, size_t bytes);
};

} // namespace tessera::driver

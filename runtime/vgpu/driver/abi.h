// The binary interface of the CUDA driver API, as far as it is provided: our own declarations, so that no toolkit is
// needed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tessera::vgpu::driver {

enum CUresult : int {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  UNSUPPORTED_LIMIT = 215,
  PEER_ACCESS_UNSUPPORTED = 217,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX_VERSION = 222,
  FILE_NOT_FOUND = 301,
  INVALID_HANDLE = 400,
  ILLEGAL_STATE = 401,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  LAUNCH_TIMEOUT = 702,
  PEER_ACCESS_ALREADY_ENABLED = 704,
  PEER_ACCESS_NOT_ENABLED = 705,
  ASSERT = 710,
  HOST_MEMORY_ALREADY_REGISTERED = 712,
  HOST_MEMORY_NOT_REGISTERED = 713,
  ILLEGAL_INSTRUCTION = 715,
  MISALIGNED_ADDRESS = 716,
  LAUNCH_FAILED = 719,
  COOPERATIVE_LAUNCH_TOO_LARGE = 720,
  NOT_PERMITTED = 800,
  NOT_SUPPORTED = 801,
  STREAM_CAPTURE_UNSUPPORTED = 900,
  STREAM_CAPTURE_INVALIDATED = 901,
  STREAM_CAPTURE_UNMATCHED = 903,
  INVALID_CLUSTER_SIZE = 912,
  UNKNOWN = 999
};

using CUdevice = int;
using CUdeviceptr = unsigned long long;
struct ContextObject;
struct ModuleObject;
struct FunctionObject;
struct StreamObject;
struct EventObject;
struct GraphObject;
struct NodeObject;
struct ExecObject;
using CUcontext = ContextObject *;
using CUmodule = ModuleObject *;
using CUfunction = FunctionObject *;
using CUstream = StreamObject *;
using CUevent = EventObject *;
using CUgraph = GraphObject *;
using CUgraphNode = NodeObject *;
using CUgraphExec = ExecObject *;
using CUhostFn = void (*)(void *);

struct CUuuid {
  char bytes[16];
};

struct LaunchAttribute {
  int id;
  int padding;
  union {
    char pad[64];
    int number;
    unsigned cluster[3];
  } value;
};

struct LaunchConfig {
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  CUstream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};

struct Memcpy2D {
  size_t srcX, srcY;
  int srcType;
  const void *srcHost;
  CUdeviceptr srcDevice;
  void *srcArray;
  size_t srcPitch;
  size_t dstX, dstY;
  int dstType;
  void *dstHost;
  CUdeviceptr dstDevice;
  void *dstArray;
  size_t dstPitch;
  size_t width, height;
};

struct Memcpy3D {
  size_t srcX, srcY, srcZ, srcLod;
  int srcType;
  const void *srcHost;
  CUdeviceptr srcDevice;
  void *srcArray, *reserved0;
  size_t srcPitch, srcHeight;
  size_t dstX, dstY, dstZ, dstLod;
  int dstType;
  void *dstHost;
  CUdeviceptr dstDevice;
  void *dstArray, *reserved1;
  size_t dstPitch, dstHeight;
  size_t width, height, depth;
};

struct KernelNodeParams {
  CUfunction function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **kernelParams, **extra;
  void *kernel;
  CUcontext context;
};

struct MemsetNodeParams {
  CUdeviceptr dst;
  size_t pitch;
  unsigned value, elementSize;
  size_t width, height;
};

struct HostNodeParams {
  CUhostFn fn;
  void *userData;
};

// 128 bytes, opaque to programs: encoded by cuTensorMapEncodeTiled, read by exec/tensor_map.
struct alignas(64) TensorMap {
  unsigned char raw[128];
};

} // namespace tessera::vgpu::driver

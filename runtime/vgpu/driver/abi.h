// The binary interface of the CUDA driver API, as far as it is provided: our own declarations, so that no toolkit is
// needed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tessera::vgpu::driver {

// Every code has its row in errors.cpp; these are the ones that we answer.
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
  OPERATING_SYSTEM = 304,
  INVALID_HANDLE = 400,
  ILLEGAL_STATE = 401,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  LAUNCH_TIMEOUT = 702,
  PEER_ACCESS_ALREADY_ENABLED = 704,
  PEER_ACCESS_NOT_ENABLED = 705,
  PRIMARY_CONTEXT_ACTIVE = 708,
  CONTEXT_IS_DESTROYED = 709,
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
  STREAM_CAPTURE_MERGE = 902,
  STREAM_CAPTURE_UNMATCHED = 903,
  STREAM_CAPTURE_UNJOINED = 904,
  STREAM_CAPTURE_ISOLATION = 905,
  STREAM_CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
  STREAM_CAPTURE_WRONG_THREAD = 908,
  GRAPH_EXEC_UPDATE_FAILURE = 910,
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
struct LibraryObject;
struct KernelObject;
struct PoolObject;
struct UserObject;
struct LinkObject;
using CUcontext = ContextObject *;
using CUmodule = ModuleObject *;
using CUfunction = FunctionObject *;
using CUstream = StreamObject *;
using CUevent = EventObject *;
using CUgraph = GraphObject *;
using CUgraphNode = NodeObject *;
using CUgraphExec = ExecObject *;
using CUlibrary = LibraryObject *;
using CUkernel = KernelObject *;
using CUmemoryPool = PoolObject *;
using CUuserObject = UserObject *;
using CUlinkState = LinkObject *;
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
    CUevent event;
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

// CUDA_MEMCPY3D_PEER: as Memcpy3D, with contexts where that has reserved words.
using Memcpy3DPeer = Memcpy3D;

// Version 2; version 1 ends before `kernel`.
struct KernelNodeParams {
  CUfunction function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **kernelParams, **extra;
  CUkernel kernel;
  CUcontext context;
};
inline constexpr size_t kernelNodeParamsV1 = offsetof(KernelNodeParams, kernel);

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

struct EdgeData { // how one node waits for another; only the plain way is known
  unsigned char fromPort, toPort, type, reserved[5];
};

struct MemLocation {
  int type, id; // 1: a device, 2: the host
};
struct MemAccess {
  MemLocation location;
  int flags; // 0 none, 1 read, 3 read and write
};
struct PoolProps {
  int allocType, handleTypes;
  MemLocation location;
  void *security;
  size_t maxSize;
  unsigned short usage;
  unsigned char reserved[54];
};
struct AllocationProp {
  int type, handleTypes;
  MemLocation location;
  void *win32;
  unsigned char flags[8];
};
struct AllocNodeParams {
  PoolProps pool;
  const MemAccess *access;
  size_t accessCount, bytes;
  CUdeviceptr address;
};

union MemOp {    // CUstreamBatchMemOpParams
  int operation; // 1 wait 32, 2 write 32, 3 flush, 4 wait 64, 5 write 64, 6 barrier
  struct {
    int operation;
    CUdeviceptr address;
    uint64_t value;
    unsigned flags; // of a wait: 0 at least, 1 equal, 2 any common bit, 3 nor
    CUdeviceptr alias;
  } value;
  uint64_t pad[6];
};
struct MemOpNodeParams {
  CUcontext context;
  unsigned count;
  MemOp *ops;
  unsigned flags;
};

struct GraphNodeParams { // CUgraphNodeParams
  int type, reserved0[3];
  union {
    long long reserved1[29];
    KernelNodeParams kernel;
    struct {
      int flags, reserved;
      CUcontext context;
      Memcpy3D copy;
    } memcpy;
    MemsetNodeParams memset;
    HostNodeParams host;
    CUgraph graph;
    CUevent event;
    AllocNodeParams alloc;
    CUdeviceptr freed;
    MemOpNodeParams memOps;
  };
  long long reserved2;
};
struct InstantiateParams {
  uint64_t flags;
  CUstream upload;
  CUgraphNode errorNode;
  int result;
};
struct UpdateResult {
  int result; // 0 success, 1 error, 2 topology, 3 node type, 4 function, 5 parameters, 6 not supported
  CUgraphNode errorNode, errorFromNode;
};

// 128 bytes, opaque to programs: encoded by cuTensorMapEncodeTiled, read by exec/tensor_map.
struct alignas(64) TensorMap {
  unsigned char raw[128];
};

} // namespace tessera::vgpu::driver

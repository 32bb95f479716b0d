// Entry points for programs whose default stream is the calling thread's (cuda.h with
// CUDA_API_PER_THREAD_DEFAULT_STREAM): the same functions with another meaning of a null stream.
#include "runtime/vgpu/driver/work.h"

using namespace tessera::vgpu::driver;

namespace {
CUstream own(CUstream stream) { return stream ? stream : reinterpret_cast<CUstream>(uintptr_t(2)); }
} // namespace

#pragma GCC visibility push(default)
extern "C" {
CUresult cuEventRecord(CUevent event, CUstream stream);
CUresult cuEventRecordWithFlags(CUevent event, CUstream handle, unsigned flags);
CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, InstantiateParams *params);
CUresult cuGraphLaunch(CUgraphExec exec, CUstream handle);
CUresult cuGraphUpload(CUgraphExec exec, CUstream stream);
CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                   unsigned bz, unsigned shared, CUstream stream, void **params);
CUresult cuLaunchHostFunc(CUstream stream, CUhostFn fn, void *data);
CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream, void **params, void **extra);
CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream);
CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream);
CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream);
CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, MemLocation location, unsigned flags, CUstream s);
CUresult cuMemcpy2DAsync_v2(const Memcpy2D *c, CUstream s);
CUresult cuMemcpy3DAsync_v2(const Memcpy3D *c, CUstream s);
CUresult cuMemcpy3DPeerAsync(const Memcpy3DPeer *c, CUstream s);
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s);
CUresult cuMemcpyBatchAsync_v2(const CUdeviceptr *to, const CUdeviceptr *from, const size_t *bytes, size_t count,
                               const void *attributes, const size_t *indices, size_t attributeCount, CUstream s);
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s);
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream s);
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream s);
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n, CUstream s);
CUresult cuMemsetD16Async(CUdeviceptr a, unsigned short v, size_t n, CUstream s);
CUresult cuMemsetD2D16Async(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h, CUstream s);
CUresult cuMemsetD2D32Async(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h, CUstream s);
CUresult cuMemsetD2D8Async(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h, CUstream s);
CUresult cuMemsetD32Async(CUdeviceptr a, unsigned v, size_t n, CUstream s);
CUresult cuMemsetD8Async(CUdeviceptr a, unsigned char v, size_t n, CUstream s);
CUresult cuStreamAddCallback(CUstream handle, void (*fn)(CUstream, CUresult, void *), void *data, unsigned flags);
CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t a2, unsigned flags);
CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned count, const MemOp *ops, unsigned flags);
CUresult cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode *dependencies,
                                     const EdgeData *a3, size_t count, int mode);
CUresult cuStreamBeginCapture_v2(CUstream stream, int mode);
CUresult cuStreamCopyAttributes(CUstream to, CUstream from);
CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph);
CUresult cuStreamGetAttribute(CUstream handle, int attribute, void *value);
CUresult cuStreamGetCaptureInfo_v3(CUstream stream, int *status, uint64_t *id, CUgraph *graph,
                                   const CUgraphNode **dependencies, const EdgeData **edges, size_t *count);
CUresult cuStreamGetCtx(CUstream handle, CUcontext *context);
CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext *context, void **greenContext);
CUresult cuStreamGetDevice(CUstream handle, CUdevice *device);
CUresult cuStreamGetFlags(CUstream handle, unsigned *flags);
CUresult cuStreamGetId(CUstream handle, unsigned long long *id);
CUresult cuStreamGetPriority(CUstream handle, int *priority);
CUresult cuStreamIsCapturing(CUstream stream, int *status);
CUresult cuStreamQuery(CUstream stream);
CUresult cuStreamSetAttribute(CUstream handle, int attribute, const void *value);
CUresult cuStreamSynchronize(CUstream handle);
CUresult cuStreamUpdateCaptureDependencies_v2(CUstream handle, const CUgraphNode *nodes, const EdgeData *a2,
                                              size_t count, unsigned flags);
CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags);
CUresult cuStreamWaitValue32_v2(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags);
CUresult cuStreamWaitValue64_v2(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags);
CUresult cuStreamWriteValue32_v2(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags);
CUresult cuStreamWriteValue64_v2(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags);
CUresult cuLaunchKernelEx(const LaunchConfig *c, CUfunction function, void **params, void **extra);

CUresult cuEventRecord_ptsz(CUevent event, CUstream stream) { return cuEventRecord(event, own(stream)); }
CUresult cuEventRecordWithFlags_ptsz(CUevent event, CUstream handle, unsigned flags) {
  return cuEventRecordWithFlags(event, own(handle), flags);
}
CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *exec, CUgraph graph, InstantiateParams *params) {
  return cuGraphInstantiateWithParams(exec, graph, params);
}
CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream handle) { return cuGraphLaunch(exec, own(handle)); }
CUresult cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream) { return cuGraphUpload(exec, own(stream)); }
CUresult cuLaunchCooperativeKernel_ptsz(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                                        unsigned by, unsigned bz, unsigned shared, CUstream stream, void **params) {
  return cuLaunchCooperativeKernel(function, gx, gy, gz, bx, by, bz, shared, own(stream), params);
}
CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn fn, void *data) {
  return cuLaunchHostFunc(own(stream), fn, data);
}
CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                             unsigned bz, unsigned shared, CUstream stream, void **params, void **extra) {
  return cuLaunchKernel(function, gx, gy, gz, bx, by, bz, shared, own(stream), params, extra);
}
CUresult cuMemAllocAsync_ptsz(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return cuMemAllocAsync(address, bytes, own(stream));
}
CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream) {
  return cuMemAllocFromPoolAsync(address, bytes, pool, own(stream));
}
CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream) { return cuMemFreeAsync(address, own(stream)); }
CUresult cuMemPrefetchAsync_v2_ptsz(CUdeviceptr address, size_t bytes, MemLocation location, unsigned flags,
                                    CUstream s) {
  return cuMemPrefetchAsync_v2(address, bytes, location, flags, own(s));
}
CUresult cuMemcpy_ptds(CUdeviceptr to, CUdeviceptr from, size_t n) { return cuMemcpyAsync(to, from, n, own(nullptr)); }
CUresult cuMemcpy2DAsync_v2_ptsz(const Memcpy2D *c, CUstream s) { return cuMemcpy2DAsync_v2(c, own(s)); }
CUresult cuMemcpy2DUnaligned_v2_ptds(const Memcpy2D *c) { return cuMemcpy2DAsync_v2(c, own(nullptr)); }
CUresult cuMemcpy2D_v2_ptds(const Memcpy2D *c) { return cuMemcpy2DAsync_v2(c, own(nullptr)); }
CUresult cuMemcpy3DAsync_v2_ptsz(const Memcpy3D *c, CUstream s) { return cuMemcpy3DAsync_v2(c, own(s)); }
CUresult cuMemcpy3DPeer_ptds(const Memcpy3DPeer *c) { return cuMemcpy3DPeerAsync(c, own(nullptr)); }
CUresult cuMemcpy3DPeerAsync_ptsz(const Memcpy3DPeer *c, CUstream s) { return cuMemcpy3DPeerAsync(c, own(s)); }
CUresult cuMemcpy3D_v2_ptds(const Memcpy3D *c) { return cuMemcpy3DAsync_v2(c, own(nullptr)); }
CUresult cuMemcpyAsync_ptsz(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  return cuMemcpyAsync(to, from, n, own(s));
}
CUresult cuMemcpyBatchAsync_v2_ptsz(const CUdeviceptr *to, const CUdeviceptr *from, const size_t *bytes, size_t count,
                                    const void *attributes, const size_t *indices, size_t attributeCount, CUstream s) {
  return cuMemcpyBatchAsync_v2(to, from, bytes, count, attributes, indices, attributeCount, own(s));
}
CUresult cuMemcpyDtoDAsync_v2_ptsz(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  return cuMemcpyDtoDAsync_v2(to, from, n, own(s));
}
CUresult cuMemcpyDtoD_v2_ptds(CUdeviceptr to, CUdeviceptr from, size_t n) {
  return cuMemcpyDtoDAsync_v2(to, from, n, own(nullptr));
}
CUresult cuMemcpyDtoHAsync_v2_ptsz(void *to, CUdeviceptr from, size_t n, CUstream s) {
  return cuMemcpyDtoHAsync_v2(to, from, n, own(s));
}
CUresult cuMemcpyDtoH_v2_ptds(void *to, CUdeviceptr from, size_t n) {
  return cuMemcpyDtoHAsync_v2(to, from, n, own(nullptr));
}
CUresult cuMemcpyHtoDAsync_v2_ptsz(CUdeviceptr to, const void *from, size_t n, CUstream s) {
  return cuMemcpyHtoDAsync_v2(to, from, n, own(s));
}
CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr to, const void *from, size_t n) {
  return cuMemcpyHtoDAsync_v2(to, from, n, own(nullptr));
}
CUresult cuMemcpyPeer_ptds(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n) {
  return cuMemcpyPeerAsync(to, a, from, b, n, own(nullptr));
}
CUresult cuMemcpyPeerAsync_ptsz(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n, CUstream s) {
  return cuMemcpyPeerAsync(to, a, from, b, n, own(s));
}
CUresult cuMemsetD16Async_ptsz(CUdeviceptr a, unsigned short v, size_t n, CUstream s) {
  return cuMemsetD16Async(a, v, n, own(s));
}
CUresult cuMemsetD16_v2_ptds(CUdeviceptr a, unsigned short v, size_t n) {
  return cuMemsetD16Async(a, v, n, own(nullptr));
}
CUresult cuMemsetD2D16Async_ptsz(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h, CUstream s) {
  return cuMemsetD2D16Async(a, p, v, w, h, own(s));
}
CUresult cuMemsetD2D16_v2_ptds(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h) {
  return cuMemsetD2D16Async(a, p, v, w, h, own(nullptr));
}
CUresult cuMemsetD2D32Async_ptsz(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h, CUstream s) {
  return cuMemsetD2D32Async(a, p, v, w, h, own(s));
}
CUresult cuMemsetD2D32_v2_ptds(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h) {
  return cuMemsetD2D32Async(a, p, v, w, h, own(nullptr));
}
CUresult cuMemsetD2D8Async_ptsz(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h, CUstream s) {
  return cuMemsetD2D8Async(a, p, v, w, h, own(s));
}
CUresult cuMemsetD2D8_v2_ptds(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h) {
  return cuMemsetD2D8Async(a, p, v, w, h, own(nullptr));
}
CUresult cuMemsetD32Async_ptsz(CUdeviceptr a, unsigned v, size_t n, CUstream s) {
  return cuMemsetD32Async(a, v, n, own(s));
}
CUresult cuMemsetD32_v2_ptds(CUdeviceptr a, unsigned v, size_t n) { return cuMemsetD32Async(a, v, n, own(nullptr)); }
CUresult cuMemsetD8Async_ptsz(CUdeviceptr a, unsigned char v, size_t n, CUstream s) {
  return cuMemsetD8Async(a, v, n, own(s));
}
CUresult cuMemsetD8_v2_ptds(CUdeviceptr a, unsigned char v, size_t n) { return cuMemsetD8Async(a, v, n, own(nullptr)); }
CUresult cuStreamAddCallback_ptsz(CUstream handle, void (*fn)(CUstream, CUresult, void *), void *data, unsigned flags) {
  return cuStreamAddCallback(own(handle), fn, data, flags);
}
CUresult cuStreamAttachMemAsync_ptsz(CUstream stream, CUdeviceptr address, size_t a2, unsigned flags) {
  return cuStreamAttachMemAsync(own(stream), address, a2, flags);
}
CUresult cuStreamBatchMemOp_v2_ptsz(CUstream stream, unsigned count, const MemOp *ops, unsigned flags) {
  return cuStreamBatchMemOp_v2(own(stream), count, ops, flags);
}
CUresult cuStreamBeginCaptureToGraph_ptsz(CUstream stream, CUgraph graph, const CUgraphNode *dependencies,
                                          const EdgeData *a3, size_t count, int mode) {
  return cuStreamBeginCaptureToGraph(own(stream), graph, dependencies, a3, count, mode);
}
CUresult cuStreamBeginCapture_v2_ptsz(CUstream stream, int mode) { return cuStreamBeginCapture_v2(own(stream), mode); }
CUresult cuStreamCopyAttributes_ptsz(CUstream to, CUstream from) { return cuStreamCopyAttributes(own(to), own(from)); }
CUresult cuStreamEndCapture_ptsz(CUstream handle, CUgraph *graph) { return cuStreamEndCapture(own(handle), graph); }
CUresult cuStreamGetAttribute_ptsz(CUstream handle, int attribute, void *value) {
  return cuStreamGetAttribute(own(handle), attribute, value);
}
CUresult cuStreamGetCaptureInfo_v3_ptsz(CUstream stream, int *status, uint64_t *id, CUgraph *graph,
                                        const CUgraphNode **dependencies, const EdgeData **edges, size_t *count) {
  return cuStreamGetCaptureInfo_v3(own(stream), status, id, graph, dependencies, edges, count);
}
CUresult cuStreamGetCtx_ptsz(CUstream handle, CUcontext *context) { return cuStreamGetCtx(own(handle), context); }
CUresult cuStreamGetCtx_v2_ptsz(CUstream handle, CUcontext *context, void **greenContext) {
  return cuStreamGetCtx_v2(own(handle), context, greenContext);
}
CUresult cuStreamGetDevice_ptsz(CUstream handle, CUdevice *device) { return cuStreamGetDevice(own(handle), device); }
CUresult cuStreamGetFlags_ptsz(CUstream handle, unsigned *flags) { return cuStreamGetFlags(own(handle), flags); }
CUresult cuStreamGetId_ptsz(CUstream handle, unsigned long long *id) { return cuStreamGetId(own(handle), id); }
CUresult cuStreamGetPriority_ptsz(CUstream handle, int *priority) { return cuStreamGetPriority(own(handle), priority); }
CUresult cuStreamIsCapturing_ptsz(CUstream stream, int *status) { return cuStreamIsCapturing(own(stream), status); }
CUresult cuStreamQuery_ptsz(CUstream stream) { return cuStreamQuery(own(stream)); }
CUresult cuStreamSetAttribute_ptsz(CUstream handle, int attribute, const void *value) {
  return cuStreamSetAttribute(own(handle), attribute, value);
}
CUresult cuStreamSynchronize_ptsz(CUstream handle) { return cuStreamSynchronize(own(handle)); }
CUresult cuStreamUpdateCaptureDependencies_v2_ptsz(CUstream handle, const CUgraphNode *nodes, const EdgeData *a2,
                                                   size_t count, unsigned flags) {
  return cuStreamUpdateCaptureDependencies_v2(own(handle), nodes, a2, count, flags);
}
CUresult cuStreamWaitEvent_ptsz(CUstream handle, CUevent event, unsigned flags) {
  return cuStreamWaitEvent(own(handle), event, flags);
}
CUresult cuStreamWaitValue32_v2_ptsz(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags) {
  return cuStreamWaitValue32_v2(own(s), a, v, flags);
}
CUresult cuStreamWaitValue64_v2_ptsz(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags) {
  return cuStreamWaitValue64_v2(own(s), a, v, flags);
}
CUresult cuStreamWriteValue32_v2_ptsz(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags) {
  return cuStreamWriteValue32_v2(own(s), a, v, flags);
}
CUresult cuStreamWriteValue64_v2_ptsz(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags) {
  return cuStreamWriteValue64_v2(own(s), a, v, flags);
}
CUresult cuLaunchKernelEx_ptsz(const LaunchConfig *c, CUfunction function, void **params, void **extra) {
  if (!c)
    return cuLaunchKernelEx(c, function, params, extra);
  LaunchConfig mine = *c;
  mine.stream = own(c->stream);
  return cuLaunchKernelEx(&mine, function, params, extra);
}
}
#pragma GCC visibility pop

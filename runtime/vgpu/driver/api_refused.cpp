// Entry points that exist so that programs link and start, and that are refused: what they are for is not simulated.
// They read no argument, whatever a program gives them.
#include "runtime/vgpu/driver/state.h"

using namespace tessera::vgpu::driver;

namespace {
CUresult refused() {
  Guard hold;
  return started() ? NOT_INITIALIZED : NOT_SUPPORTED;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

// Textures, surfaces and arrays.
CUresult cuArray3DCreate_v2() { return refused(); }
CUresult cuArray3DGetDescriptor_v2() { return refused(); }
CUresult cuArrayCreate_v2() { return refused(); }
CUresult cuArrayDestroy() { return refused(); }
CUresult cuArrayGetDescriptor_v2() { return refused(); }
CUresult cuArrayGetMemoryRequirements() { return refused(); }
CUresult cuArrayGetPlane() { return refused(); }
CUresult cuArrayGetSparseProperties() { return refused(); }
CUresult cuDeviceGetTexture1DLinearMaxWidth() { return refused(); }
CUresult cuExternalMemoryGetMappedMipmappedArray() { return refused(); }
CUresult cuGraphicsResourceGetMappedMipmappedArray() { return refused(); }
CUresult cuGraphicsSubResourceGetMappedArray() { return refused(); }
CUresult cuMemMapArrayAsync() { return refused(); }
CUresult cuMemcpyAtoA_v2() { return refused(); }
CUresult cuMemcpyAtoD_v2() { return refused(); }
CUresult cuMemcpyAtoHAsync_v2() { return refused(); }
CUresult cuMemcpyAtoH_v2() { return refused(); }
CUresult cuMemcpyDtoA_v2() { return refused(); }
CUresult cuMemcpyHtoAAsync_v2() { return refused(); }
CUresult cuMemcpyHtoA_v2() { return refused(); }
CUresult cuMipmappedArrayCreate() { return refused(); }
CUresult cuMipmappedArrayDestroy() { return refused(); }
CUresult cuMipmappedArrayGetLevel() { return refused(); }
CUresult cuMipmappedArrayGetMemoryRequirements() { return refused(); }
CUresult cuMipmappedArrayGetSparseProperties() { return refused(); }
CUresult cuModuleGetSurfRef() { return refused(); }
CUresult cuModuleGetTexRef() { return refused(); }
CUresult cuParamSetTexRef() { return refused(); }
CUresult cuSurfObjectCreate() { return refused(); }
CUresult cuSurfObjectDestroy() { return refused(); }
CUresult cuSurfObjectGetResourceDesc() { return refused(); }
CUresult cuSurfRefGetArray() { return refused(); }
CUresult cuSurfRefSetArray() { return refused(); }
CUresult cuTexObjectCreate() { return refused(); }
CUresult cuTexObjectDestroy() { return refused(); }
CUresult cuTexObjectGetResourceDesc() { return refused(); }
CUresult cuTexObjectGetResourceViewDesc() { return refused(); }
CUresult cuTexObjectGetTextureDesc() { return refused(); }
CUresult cuTexRefCreate() { return refused(); }
CUresult cuTexRefDestroy() { return refused(); }
CUresult cuTexRefGetAddressMode() { return refused(); }
CUresult cuTexRefGetAddress_v2() { return refused(); }
CUresult cuTexRefGetArray() { return refused(); }
CUresult cuTexRefGetBorderColor() { return refused(); }
CUresult cuTexRefGetFilterMode() { return refused(); }
CUresult cuTexRefGetFlags() { return refused(); }
CUresult cuTexRefGetFormat() { return refused(); }
CUresult cuTexRefGetMaxAnisotropy() { return refused(); }
CUresult cuTexRefGetMipmapFilterMode() { return refused(); }
CUresult cuTexRefGetMipmapLevelBias() { return refused(); }
CUresult cuTexRefGetMipmapLevelClamp() { return refused(); }
CUresult cuTexRefGetMipmappedArray() { return refused(); }
CUresult cuTexRefSetAddress2D_v3() { return refused(); }
CUresult cuTexRefSetAddressMode() { return refused(); }
CUresult cuTexRefSetAddress_v2() { return refused(); }
CUresult cuTexRefSetArray() { return refused(); }
CUresult cuTexRefSetBorderColor() { return refused(); }
CUresult cuTexRefSetFilterMode() { return refused(); }
CUresult cuTexRefSetFlags() { return refused(); }
CUresult cuTexRefSetFormat() { return refused(); }
CUresult cuTexRefSetMaxAnisotropy() { return refused(); }
CUresult cuTexRefSetMipmapFilterMode() { return refused(); }
CUresult cuTexRefSetMipmapLevelBias() { return refused(); }
CUresult cuTexRefSetMipmapLevelClamp() { return refused(); }
CUresult cuTexRefSetMipmappedArray() { return refused(); }

// Graphics.
CUresult cuGraphicsMapResources() { return refused(); }
CUresult cuGraphicsResourceGetMappedPointer_v2() { return refused(); }
CUresult cuGraphicsResourceSetMapFlags_v2() { return refused(); }
CUresult cuGraphicsUnmapResources() { return refused(); }
CUresult cuGraphicsUnregisterResource() { return refused(); }

// Other processes and other devices of the machine.
CUresult cuDestroyExternalMemory() { return refused(); }
CUresult cuDestroyExternalSemaphore() { return refused(); }
CUresult cuDeviceGetLuid() { return refused(); }
CUresult cuDeviceGetNvSciSyncAttributes() { return refused(); }
CUresult cuExternalMemoryGetMappedBuffer() { return refused(); }
CUresult cuFlushGPUDirectRDMAWrites() { return refused(); }
CUresult cuGraphAddExternalSemaphoresSignalNode() { return refused(); }
CUresult cuGraphAddExternalSemaphoresWaitNode() { return refused(); }
CUresult cuGraphExecExternalSemaphoresSignalNodeSetParams() { return refused(); }
CUresult cuGraphExecExternalSemaphoresWaitNodeSetParams() { return refused(); }
CUresult cuGraphExternalSemaphoresSignalNodeGetParams() { return refused(); }
CUresult cuGraphExternalSemaphoresSignalNodeSetParams() { return refused(); }
CUresult cuGraphExternalSemaphoresWaitNodeGetParams() { return refused(); }
CUresult cuGraphExternalSemaphoresWaitNodeSetParams() { return refused(); }
CUresult cuImportExternalMemory() { return refused(); }
CUresult cuImportExternalSemaphore() { return refused(); }
CUresult cuIpcCloseMemHandle() { return refused(); }
CUresult cuIpcGetEventHandle() { return refused(); }
CUresult cuIpcGetMemHandle() { return refused(); }
CUresult cuIpcOpenEventHandle() { return refused(); }
CUresult cuIpcOpenMemHandle_v2() { return refused(); }
CUresult cuMemExportToShareableHandle() { return refused(); }
CUresult cuMemGetHandleForAddressRange() { return refused(); }
CUresult cuMemImportFromShareableHandle() { return refused(); }
CUresult cuMemPoolExportPointer() { return refused(); }
CUresult cuMemPoolExportToShareableHandle() { return refused(); }
CUresult cuMemPoolImportFromShareableHandle() { return refused(); }
CUresult cuMemPoolImportPointer() { return refused(); }
CUresult cuMulticastAddDevice() { return refused(); }
CUresult cuMulticastBindAddr() { return refused(); }
CUresult cuMulticastBindMem() { return refused(); }
CUresult cuMulticastCreate() { return refused(); }
CUresult cuMulticastGetGranularity() { return refused(); }
CUresult cuMulticastUnbind() { return refused(); }
CUresult cuSignalExternalSemaphoresAsync() { return refused(); }
CUresult cuWaitExternalSemaphoresAsync() { return refused(); }

// Green contexts and resources.
CUresult cuCtxFromGreenCtx() { return refused(); }
CUresult cuCtxGetDevResource() { return refused(); }
CUresult cuCtxGetExecAffinity() { return refused(); }
CUresult cuCtxRecordEvent() { return refused(); }
CUresult cuCtxWaitEvent() { return refused(); }
CUresult cuDevResourceGenerateDesc() { return refused(); }
CUresult cuDevSmResourceSplitByCount() { return refused(); }
CUresult cuDeviceGetDevResource() { return refused(); }
CUresult cuGreenCtxCreate() { return refused(); }
CUresult cuGreenCtxDestroy() { return refused(); }
CUresult cuGreenCtxGetDevResource() { return refused(); }
CUresult cuGreenCtxGetId() { return refused(); }
CUresult cuGreenCtxRecordEvent() { return refused(); }
CUresult cuGreenCtxStreamCreate() { return refused(); }
CUresult cuGreenCtxWaitEvent() { return refused(); }
CUresult cuStreamGetGreenCtx() { return refused(); }

// Launches as they were before CUDA 4.
CUresult cuCtxAttach() { return refused(); }
CUresult cuCtxDetach() { return refused(); }
CUresult cuFuncSetBlockShape() { return refused(); }
CUresult cuFuncSetSharedSize() { return refused(); }
CUresult cuLaunch() { return refused(); }
CUresult cuLaunchCooperativeKernelMultiDevice() { return refused(); }
CUresult cuLaunchGrid() { return refused(); }
CUresult cuLaunchGridAsync() { return refused(); }
CUresult cuParamSetSize() { return refused(); }
CUresult cuParamSetf() { return refused(); }
CUresult cuParamSeti() { return refused(); }
CUresult cuParamSetv() { return refused(); }

// Logs, dumps, checkpoints, notifications.
CUresult cuCheckpointProcessCheckpoint() { return refused(); }
CUresult cuCheckpointProcessGetRestoreThreadId() { return refused(); }
CUresult cuCheckpointProcessGetState() { return refused(); }
CUresult cuCheckpointProcessLock() { return refused(); }
CUresult cuCheckpointProcessRestore() { return refused(); }
CUresult cuCheckpointProcessUnlock() { return refused(); }
CUresult cuCoredumpGetAttribute() { return refused(); }
CUresult cuCoredumpGetAttributeGlobal() { return refused(); }
CUresult cuCoredumpSetAttribute() { return refused(); }
CUresult cuCoredumpSetAttributeGlobal() { return refused(); }
CUresult cuDeviceRegisterAsyncNotification() { return refused(); }
CUresult cuDeviceUnregisterAsyncNotification() { return refused(); }
CUresult cuLogsCurrent() { return refused(); }
CUresult cuLogsDumpToFile() { return refused(); }
CUresult cuLogsDumpToMemory() { return refused(); }
CUresult cuLogsRegisterCallback() { return refused(); }
CUresult cuLogsUnregisterCallback() { return refused(); }

// The rest.
CUresult cuDeviceGetHostAtomicCapabilities() { return refused(); }
CUresult cuDeviceGetP2PAtomicCapabilities() { return refused(); }
CUresult cuGraphConditionalHandleCreate() { return refused(); }
CUresult cuMemBatchDecompressAsync() { return refused(); }
CUresult cuMemDiscardAndPrefetchBatchAsync() { return refused(); }
CUresult cuMemDiscardBatchAsync() { return refused(); }
CUresult cuMemPrefetchBatchAsync() { return refused(); }
CUresult cuMemRangeGetAttribute() { return refused(); }
CUresult cuMemRangeGetAttributes() { return refused(); }
CUresult cuMemcpy3DBatchAsync_v2() { return refused(); }
}
#pragma GCC visibility pop

// Entry points: streams and events. Work runs when it is submitted, so every order that a program may rely on holds;
// time is modelled: a stream has a clock that its work advances.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
// The stream behind a handle, where the context is fine.
CUresult found(CUstream handle, StreamObject *&stream) {
  if (CUresult r = ready())
    return r;
  stream = streamOf(handle);
  return stream ? SUCCESS : INVALID_HANDLE;
}
CUresult eventThere(CUevent event) {
  if (CUresult r = ready())
    return r;
  return alive(event, eventKind) ? SUCCESS : INVALID_HANDLE;
}

// A wait for an event that was recorded in a capture, or by a stream that is captured.
CUresult waitInCapture(StreamObject &stream, EventObject &event, bool external) {
  if (external) {
    if (!stream.capture)
      return INVALID_VALUE;
    return submit(&stream, WaitWork{&event});
  }
  if (!event.capture) { // recorded outside: the graph could not tell when
    spoil(stream);
    return STREAM_CAPTURE_ISOLATION;
  }
  if (!event.capture->graph || event.capture->spoiled)
    return STREAM_CAPTURE_INVALIDATED;
  if (stream.capture && stream.capture != event.capture) {
    spoil(stream);
    event.capture->spoiled = true;
    return STREAM_CAPTURE_MERGE;
  }
  stream.capture = event.capture; // joins it
  for (CUgraphNode node : event.captureNodes)
    if (alive(node, nodeKind) &&
        std::find(stream.captureLast.begin(), stream.captureLast.end(), node) == stream.captureLast.end())
      stream.captureLast.push_back(node);
  return SUCCESS;
}

CUresult operations(CUstream handle, const MemOp *ops, unsigned count) {
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!ops || !count || count > 256)
    return INVALID_VALUE;
  return submit(handle, MemOpWork{nullptr, std::vector<MemOp>(ops, ops + count)});
}
CUresult operation(CUstream stream, int kind, CUdeviceptr address, uint64_t value, unsigned flags) {
  Guard hold;
  MemOp op{};
  op.value = {kind, address, value, flags, 0};
  return operations(stream, &op, 1);
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!stream || flags > 1)
    return INVALID_VALUE;
  auto *made = new StreamObject;
  made->context = current();
  made->flags = flags;
  made->priority = std::clamp(priority, -5, 0);
  made->id = state().nextId++;
  born(made, streamKind);
  *stream = made;
  return SUCCESS;
}
CUresult cuStreamCreate(CUstream *stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }
CUresult cuStreamDestroy_v2(CUstream stream) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(stream, streamKind))
    return INVALID_HANDLE;
  abandonCapture(*stream);
  std::erase_if(stream->context->threadStreams, [&](const auto &entry) { return entry.second == stream; });
  died(stream);
  delete stream;
  return SUCCESS;
}
CUresult cuStreamDestroy(CUstream stream) { return cuStreamDestroy_v2(stream); }
CUresult cuStreamSynchronize(CUstream handle) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!stream->capture)
    return SUCCESS;
  spoil(*stream);
  return STREAM_CAPTURE_UNSUPPORTED;
}
CUresult cuStreamQuery(CUstream stream) { return cuStreamSynchronize(stream); }
CUresult cuStreamGetFlags(CUstream handle, unsigned *flags) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!flags)
    return INVALID_VALUE;
  *flags = stream->flags;
  return SUCCESS;
}
CUresult cuStreamGetPriority(CUstream handle, int *priority) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!priority)
    return INVALID_VALUE;
  *priority = stream->priority;
  return SUCCESS;
}
CUresult cuStreamGetCtx(CUstream handle, CUcontext *context) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!context)
    return INVALID_VALUE;
  *context = stream->context;
  return SUCCESS;
}
CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext *context, void **greenContext) {
  if (greenContext)
    *greenContext = nullptr;
  return cuStreamGetCtx(handle, context);
}
CUresult cuStreamGetDevice(CUstream handle, CUdevice *device) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!device)
    return INVALID_VALUE;
  *device = stream->context->device->ordinal;
  return SUCCESS;
}
CUresult cuStreamGetId(CUstream handle, unsigned long long *id) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!id)
    return INVALID_VALUE;
  *id = stream->id;
  return SUCCESS;
}
// The attributes of streams (access windows, synchronisation policy, priority, memory domains) are hints here.
CUresult cuStreamGetAttribute(CUstream handle, int attribute, void *value) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!value || attribute < 1 || attribute > 16)
    return INVALID_VALUE;
  std::fill_n(static_cast<char *>(value), sizeof(LaunchAttribute::value), '\0');
  if (attribute == 8)
    *static_cast<int *>(value) = stream->priority;
  return SUCCESS;
}
CUresult cuStreamSetAttribute(CUstream handle, int attribute, const void *value) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!value || attribute < 1 || attribute > 16)
    return INVALID_VALUE;
  if (attribute == 8)
    stream->priority = std::clamp(*static_cast<const int *>(value), -5, 0);
  return SUCCESS;
}
CUresult cuStreamCopyAttributes(CUstream to, CUstream from) {
  Guard hold;
  StreamObject *a = nullptr, *b = nullptr;
  if (CUresult r = found(to, a))
    return r;
  if (CUresult r = found(from, b))
    return r;
  a->priority = b->priority;
  return SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!alive(event, eventKind))
    return INVALID_HANDLE;
  if (flags > 1)
    return INVALID_VALUE;
  if (stream->capture && stream->capture->spoiled)
    return STREAM_CAPTURE_INVALIDATED;
  if (stream->capture || event->capture)
    return waitInCapture(*stream, *event, flags == 1);
  return submit(handle, WaitWork{event});
}
CUresult cuLaunchHostFunc(CUstream stream, CUhostFn fn, void *data) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return submit(stream, HostWork{{fn, data}});
}
CUresult cuStreamAddCallback(CUstream handle, void (*fn)(CUstream, CUresult, void *), void *data, unsigned flags) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (!fn || flags)
    return INVALID_VALUE;
  if (stream->capture) {
    spoil(*stream);
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  Unlocked others;
  fn(handle, SUCCESS, data);
  return SUCCESS;
}

CUresult cuStreamWriteValue32_v2(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags) {
  return operation(s, 2, a, v, flags);
}
CUresult cuStreamWriteValue64_v2(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags) {
  return operation(s, 5, a, v, flags);
}
CUresult cuStreamWaitValue32_v2(CUstream s, CUdeviceptr a, uint32_t v, unsigned flags) {
  return operation(s, 1, a, v, flags & 3);
}
CUresult cuStreamWaitValue64_v2(CUstream s, CUdeviceptr a, uint64_t v, unsigned flags) {
  return operation(s, 4, a, v, flags & 3);
}
CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned count, const MemOp *ops, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return flags ? INVALID_VALUE : operations(stream, ops, count);
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!event || flags > 7)
    return INVALID_VALUE;
  auto *made = new EventObject;
  made->context = current();
  made->flags = flags;
  born(made, eventKind);
  *event = made;
  return SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(event, eventKind))
    return INVALID_HANDLE;
  died(event);
  delete event;
  return SUCCESS;
}
CUresult cuEventDestroy(CUevent event) { return cuEventDestroy_v2(event); }
CUresult cuEventRecordWithFlags(CUevent event, CUstream handle, unsigned flags) {
  Guard hold;
  StreamObject *stream = nullptr;
  if (CUresult r = found(handle, stream))
    return r;
  if (CUresult r = eventThere(event))
    return r;
  if (event->context != stream->context)
    return INVALID_HANDLE;
  if (flags > 1 || (flags == 1 && !stream->capture))
    return INVALID_VALUE;
  if (!stream->capture || flags == 1)
    return submit(handle, RecordWork{event});
  if (stream->capture->spoiled)
    return STREAM_CAPTURE_INVALIDATED;
  event->capture = stream->capture;
  event->captureNodes = stream->captureLast;
  event->recorded = false;
  return SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) { return cuEventRecordWithFlags(event, stream, 0); }
CUresult cuEventQuery(CUevent event) {
  Guard hold;
  if (CUresult r = eventThere(event))
    return r;
  if (!event->capture)
    return SUCCESS;
  event->capture->spoiled = true;
  return CAPTURED_EVENT;
}
CUresult cuEventSynchronize(CUevent event) { return cuEventQuery(event); }
CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent from, CUevent to) {
  Guard hold;
  if (CUresult r = eventThere(from))
    return r;
  if (CUresult r = eventThere(to))
    return r;
  if (!milliseconds)
    return INVALID_VALUE;
  if (!from->recorded || !to->recorded || (from->flags & 2) || (to->flags & 2) || from->context != to->context)
    return INVALID_HANDLE;
  *milliseconds = float((to->timeUs - from->timeUs) / 1000);
  return SUCCESS;
}
CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  return cuEventElapsedTime_v2(milliseconds, from, to);
}
}
#pragma GCC visibility pop

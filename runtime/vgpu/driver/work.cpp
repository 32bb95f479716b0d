#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <cstring>

namespace tessera::vgpu::driver {
namespace {
constexpr int host = 1, device = 2, unified = 4; // CUmemorytype

// One side of a copy.
struct Side {
  int type;
  uint64_t host, device, pitch, height, x, y, z;
  uint64_t base() const { return type == driver::host ? host : device; }
};
Side from(const Memcpy3D &c) {
  return {c.srcType, reinterpret_cast<uint64_t>(c.srcHost), c.srcDevice, c.srcPitch, c.srcHeight, c.srcX, c.srcY,
          c.srcZ};
}
Side to(const Memcpy3D &c) {
  return {c.dstType, reinterpret_cast<uint64_t>(c.dstHost), c.dstDevice, c.dstPitch, c.dstHeight, c.dstX, c.dstY,
          c.dstZ};
}
bool isEmpty(const Memcpy3D &c) { return !c.width || !c.height || !c.depth; }

// False where the sizes do not fit 64 bits.
bool firstByte(const Side &s, uint64_t &first) {
  uint64_t rows, bytes;
  return !__builtin_mul_overflow(s.z, s.height, &rows) && !__builtin_add_overflow(rows, s.y, &rows) &&
         !__builtin_mul_overflow(rows, s.pitch, &bytes) && !__builtin_add_overflow(bytes, s.x, &bytes) &&
         !__builtin_add_overflow(bytes, s.base(), &first);
}
bool lastByte(const Side &s, const Memcpy3D &c, uint64_t &last) {
  Side end = s;
  return !__builtin_add_overflow(s.z, c.depth - 1, &end.z) && !__builtin_add_overflow(s.y, c.height - 1, &end.y) &&
         !__builtin_add_overflow(s.x, c.width - 1, &end.x) && firstByte(end, last);
}

CUresult validateSide(const Side &s, const Memcpy3D &c) {
  if (s.type != host && s.type != device && s.type != unified)
    return s.type == 3 ? NOT_SUPPORTED : INVALID_VALUE; // 3: an array
  uint64_t row = 0, first = 0, last = 0;
  if (__builtin_add_overflow(s.x, c.width, &row) || !s.base())
    return INVALID_VALUE;
  if ((c.height > 1 || c.depth > 1) && s.pitch < row)
    return INVALID_VALUE;
  if (c.depth > 1 && s.height < s.y + c.height)
    return INVALID_VALUE;
  if (!firstByte(s, first) || !lastByte(s, c, last) || last < first)
    return INVALID_VALUE;
  if (s.type == device || (s.type == unified && memoryHolding(s.device)))
    return checkRange(first, last - first + 1);
  return SUCCESS;
}

CUresult validateCopy(const Memcpy3D &c) {
  if (isEmpty(c))
    return SUCCESS;
  if (CUresult r = validateSide(to(c), c))
    return r;
  return validateSide(from(c), c);
}

// Bytes that the host or a copy wrote count as initialised.
void markWritten(uint64_t address, size_t bytes) {
  if (Memory *memory = memoryHolding(address))
    if (Allocation *a = memory->find(address); a->written)
      std::memset(a->written.get() + (address - a->start), 1,
                  std::min<uint64_t>(bytes, a->size - (address - a->start)));
}

double deviceCopyUs(const StreamObject &s, uint64_t bytes) {
  return 3.0 + 2.0 * double(bytes) / (s.context->device->chip->rates.dramGBs * 1e3);
}
double linkUs(uint64_t bytes) { return 4.0 + double(bytes) / 12e3; } // PCIe 3 x16 in practice: 12 GB/s

CUresult copy(const Memcpy3D &c, StreamObject &stream) {
  if (isEmpty(c))
    return SUCCESS;
  if (CUresult r = validateCopy(c))
    return r;
  Side source = from(c), target = to(c);
  const bool onDevice = memoryHolding(source.base()) && memoryHolding(target.base());
  for (uint64_t z = 0; z < c.depth; ++z)
    for (uint64_t y = 0; y < c.height; ++y) {
      Side s = source, t = target;
      uint64_t read = 0, write = 0;
      s.z += z, s.y += y, t.z += z, t.y += y;
      firstByte(s, read);
      firstByte(t, write);
      std::memmove(reinterpret_cast<void *>(write), reinterpret_cast<const void *>(read), c.width);
      markWritten(write, c.width);
    }
  const uint64_t bytes = c.width * c.height * c.depth;
  stream.clockUs += onDevice ? deviceCopyUs(stream, bytes) : linkUs(bytes);
  return SUCCESS;
}

CUresult validateSet(const MemsetNodeParams &p) {
  uint64_t row = 0, extent = 0;
  if (p.elementSize != 1 && p.elementSize != 2 && p.elementSize != 4)
    return INVALID_VALUE;
  if (p.width == 0 || p.height == 0)
    return SUCCESS;
  if (p.dst % p.elementSize || __builtin_mul_overflow(p.width, size_t(p.elementSize), &row) ||
      (p.height > 1 && p.pitch < row) || __builtin_mul_overflow(p.height - 1, p.pitch, &extent) ||
      __builtin_add_overflow(extent, row, &extent))
    return INVALID_VALUE;
  return checkRange(p.dst, extent);
}

CUresult set(const MemsetNodeParams &p, StreamObject &stream) {
  if (CUresult r = validateSet(p))
    return r;
  for (size_t y = 0; y < p.height && p.width; ++y) {
    auto *row = reinterpret_cast<uint8_t *>(p.dst + y * p.pitch);
    if (p.elementSize == 1)
      std::memset(row, int(p.value), p.width);
    for (size_t x = 0; x < p.width && p.elementSize > 1; ++x)
      std::memcpy(row + x * p.elementSize, &p.value, p.elementSize);
    markWritten(p.dst + y * p.pitch, p.width * p.elementSize);
  }
  stream.clockUs += deviceCopyUs(stream, p.width * p.height * p.elementSize) - 1;
  return SUCCESS;
}

CUresult validateOps(const MemOpWork &work) {
  for (const MemOp &op : work.ops) {
    if (op.operation < 1 || op.operation > 6)
      return INVALID_VALUE;
    const size_t bytes = op.operation >= 4 ? 8 : 4;
    const bool value = op.operation != 3 && op.operation != 6, waits = op.operation == 1 || op.operation == 4;
    if (value && (op.value.address % bytes || checkRange(op.value.address, bytes) || (waits && op.value.flags > 3)))
      return INVALID_VALUE;
  }
  return SUCCESS;
}

// A wait is not entered where it does not hold already: work runs when it is submitted, so nothing of this stream could
// come to fulfil it.
CUresult operate(const MemOpWork &work, StreamObject &stream) {
  if (CUresult r = validateOps(work))
    return r;
  for (const MemOp &op : work.ops) {
    stream.clockUs += 1;
    if (op.operation == 3 || op.operation == 6)
      continue;
    const bool wide = op.operation >= 4;
    auto *at = reinterpret_cast<void *>(op.value.address);
    if (op.operation == 2 || op.operation == 5) {
      std::memcpy(at, &op.value.value, wide ? 8 : 4);
      markWritten(op.value.address, wide ? 8 : 4);
      continue;
    }
    uint64_t have = 0, want = wide ? op.value.value : uint32_t(op.value.value);
    std::memcpy(&have, at, wide ? 8 : 4);
    const uint64_t mask = wide ? ~0ull : ~0u;
    const bool reached = wide ? int64_t(have - want) >= 0 : int32_t(uint32_t(have) - uint32_t(want)) >= 0;
    const bool holds = op.value.flags == 0   ? reached
                       : op.value.flags == 1 ? have == want
                       : op.value.flags == 2 ? (have & want) != 0
                                             : (~(have | want) & mask) != 0;
    if (!holds)
      return NOT_SUPPORTED;
  }
  return SUCCESS;
}

struct Performer {
  StreamObject &stream;
  CUresult operator()(const KernelWork &w) {
    if (!alive(w.shape.function, functionKind))
      return INVALID_HANDLE;
    return launch(*w.shape.function, w.shape, w.cluster, w.cooperative, w.arguments, stream);
  }
  CUresult operator()(const CopyWork &w) { return copy(w.box, stream); }
  CUresult operator()(const MemsetNodeParams &w) { return set(w, stream); }
  CUresult operator()(const HostWork &w) {
    const HostNodeParams call = w.call; // the work may go away meanwhile
    Unlocked others;
    call.fn(call.userData);
    return SUCCESS;
  }
  CUresult operator()(const ChildWork &) { return SUCCESS; } // its nodes are steps of their own
  CUresult operator()(const EmptyWork &) { return SUCCESS; }
  CUresult operator()(const WaitWork &w) {
    if (!alive(w.event, eventKind))
      return INVALID_HANDLE;
    if (w.event->recorded)
      stream.clockUs = std::max(stream.clockUs, w.event->timeUs);
    return SUCCESS;
  }
  CUresult operator()(const RecordWork &w) {
    if (!alive(w.event, eventKind))
      return INVALID_HANDLE;
    w.event->capture.reset();
    w.event->captureNodes.clear();
    w.event->recorded = true;
    w.event->timeUs = stream.clockUs;
    return SUCCESS;
  }
  CUresult operator()(const AllocWork &) { return SUCCESS; } // the memory is there while the graph is
  CUresult operator()(const FreeWork &) { return SUCCESS; }
  CUresult operator()(const MemOpWork &w) { return operate(w, stream); }
};

struct Validator {
  CUresult operator()(const KernelWork &w) {
    if (!alive(w.shape.function, functionKind))
      return INVALID_HANDLE;
    return validateLaunch(*w.shape.function, w.shape, w.cluster, w.cooperative);
  }
  CUresult operator()(const CopyWork &w) { return validateCopy(w.box); }
  CUresult operator()(const MemsetNodeParams &w) { return validateSet(w); }
  CUresult operator()(const HostWork &w) { return w.call.fn ? SUCCESS : INVALID_VALUE; }
  CUresult operator()(const WaitWork &w) { return alive(w.event, eventKind) ? SUCCESS : INVALID_HANDLE; }
  CUresult operator()(const RecordWork &w) { return alive(w.event, eventKind) ? SUCCESS : INVALID_HANDLE; }
  CUresult operator()(const FreeWork &w) { return checkRange(w.address, 1); }
  CUresult operator()(const MemOpWork &w) { return validateOps(w); }
  template <class T> CUresult operator()(const T &) { return SUCCESS; }
};

// The legacy default stream waits for the blocking streams of its context, and they for it.
template <class F> void eachOther(const StreamObject &stream, F &&visit) {
  if (stream.legacy) {
    for (StreamObject *s : allOf<StreamObject>(streamKind))
      if (s->context == stream.context && !(s->flags & 1))
        visit(*s);
  } else if (!(stream.flags & 1)) {
    visit(*stream.context->defaultStream);
  }
}
} // namespace

int nodeTypeOf(const Work &work) {
  constexpr int types[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12};
  static_assert(std::size(types) == std::variant_size_v<Work>);
  return types[work.index()];
}

CUresult validate(const Work &work) { return std::visit(Validator{}, work); }
CUresult perform(const Work &work, StreamObject &stream) { return std::visit(Performer{stream}, work); }

CopyWork plainCopy(uint64_t target, uint64_t source, size_t bytes, int toType, int fromType) {
  CopyWork work;
  Memcpy3D &c = work.box;
  c.srcType = fromType, c.dstType = toType;
  c.srcHost = reinterpret_cast<const void *>(source), c.srcDevice = source;
  c.dstHost = reinterpret_cast<void *>(target), c.dstDevice = target;
  c.width = bytes, c.height = c.depth = 1;
  return work;
}

CUresult kernelWork(const KernelNodeParams &params, KernelWork &work) {
  FunctionObject *function = nullptr;
  const void *handle = params.function ? static_cast<const void *>(params.function) : params.kernel;
  if (CUresult r = functionOf(handle, function))
    return r;
  work.shape = params;
  work.shape.function = function;
  const ptx::Function &f = *function->program->function;
  if (f.cluster[0] && work.cluster[0] * work.cluster[1] * work.cluster[2] == 1)
    for (int k = 0; k < 3; ++k)
      work.cluster[k] = std::max(1u, f.cluster[k]);
  if (CUresult r = validateLaunch(*function, work.shape, work.cluster, work.cooperative))
    return r;
  CUresult packed = packArguments(*function, params.kernelParams, params.extra, work.arguments);
  work.shape.kernelParams = work.shape.extra = nullptr; // the program's own, gone when this returns
  return packed;
}

CUresult enter(StreamObject &stream) {
  CUresult implicit = SUCCESS;
  eachOther(stream, [&](StreamObject &other) {
    if (stream.legacy && other.capture) {
      spoil(other);
      implicit = STREAM_CAPTURE_IMPLICIT;
    }
    stream.clockUs = std::max(stream.clockUs, other.clockUs);
  });
  return implicit;
}

CUresult submit(CUstream handle, Work work, CUgraphNode *made) {
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (CUresult r = validate(work))
    return r;
  if (auto *kernel = std::get_if<KernelWork>(&work);
      kernel && kernel->shape.function->module->context != stream->context)
    return INVALID_HANDLE;
  if (stream->capture) {
    Capture &capture = *stream->capture;
    if (capture.spoiled)
      return STREAM_CAPTURE_INVALIDATED;
    NodeObject *node = addNode(*capture.graph, std::move(work), stream->captureLast.data(), stream->captureLast.size());
    capture.made.insert(node);
    stream->captureLast = {node};
    if (made)
      *made = node;
    return SUCCESS;
  }
  if (CUresult r = enter(*stream))
    return r;
  return perform(work, *stream);
}

} // namespace tessera::vgpu::driver

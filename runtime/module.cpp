#include "runtime/module.h"
#include "runtime/device.h"
#include <bit>
#include <cmath>

namespace tessera {

Result<LoadedKernel> LoadedKernel::load(const Device &device, const Artifact &artifact) {
  return load(device.handle, artifact);
}

Result<LoadedKernel> LoadedKernel::load(std::shared_ptr<driver::Driver> device, const Artifact &artifact) {
  LoadedKernel loaded;
  driver::Kernel kernel = TESSERA_TRY(device->load(artifact));
  loaded.kernel = std::shared_ptr<driver::KernelObject>(kernel, [device](driver::Kernel k) { device->unload(k); });
  loaded.device = std::move(device);
  loaded.sig = std::make_shared<const Signature>(artifact.signature);
  return loaded;
}

// The argument as the kernel declares it: "f16 A [M, 64]".
static std::string declared(const Signature &sig, const ArgInfo &arg) {
  std::string text = std::string(name(arg.dtype)) + " " + arg.name + " [";
  for (size_t i = 0; i < arg.extents.size(); ++i) {
    const Extent &e = arg.extents[i];
    text += (i ? ", " : "") + (e.dim < 0 ? std::to_string(e.value) : sig.dims[size_t(e.dim)]);
  }
  return text + "]";
}

static std::string sized(const Signature &sig, const ArgInfo &arg, size_t axis, int64_t size) {
  const Extent &e = arg.extents[axis];
  return arg.name + " has " + (e.dim < 0 ? "" : sig.dims[size_t(e.dim)] + " = ") + std::to_string(size) +
         " along axis " + std::to_string(axis);
}

static bool overlap(const Buffer &a, const Buffer &b) {
  auto begin = [](const Buffer &x) { return reinterpret_cast<uintptr_t>(x.data()); };
  return begin(a) < begin(b) + size_t(b.bytes()) && begin(b) < begin(a) + size_t(a.bytes());
}

static bool isWritten(const ArgInfo &arg) { return arg.kind == ArgKind::out || arg.kind == ArgKind::inOut; }

Status LoadedKernel::checkTensor(const ArgInfo &want, const Arg &arg) const {
  auto fail = [&](const std::string &what) { return invalidArgument(sig->name + ": " + what); };
  if (!arg.buffer || !*arg.buffer)
    return fail("argument " + want.name + " must be a buffer, " + declared(*sig, want));
  const Buffer &buffer = *arg.buffer;
  if (buffer.device() != device.get())
    return fail("the buffer for " + want.name + " lies on another device than the kernel");
  if (buffer.dtype() != want.dtype)
    return fail(want.name + " must be " + std::string(name(want.dtype)) + " but is " +
                std::string(name(buffer.dtype())));
  if (buffer.shape().size() != want.extents.size())
    return fail(declared(*sig, want) + " has " + std::to_string(want.extents.size()) +
                " axes, but the buffer's shape is " + toString(buffer.shape()));
  if (isWritten(want) && buffer.readOnly())
    return fail(want.name + " is written by the kernel, but the buffer is read-only");
  return {};
}

Result<int64_t> LoadedKernel::scalarBits(const ArgInfo &want, const Arg &arg) const {
  auto fail = [&](const std::string &what) {
    return invalidArgument(sig->name + ": scalar " + want.name + " " + what);
  };
  std::string type(name(want.dtype));
  if (arg.buffer)
    return fail("takes one " + type + ", not a buffer");
  if (want.dtype == f32)
    return int64_t(std::bit_cast<uint32_t>(float(arg.isInteger ? double(arg.integer) : arg.real)));
  if (!arg.isInteger)
    return fail("is " + type + ", but a floating-point value was given");
  if (want.dtype == i32 && arg.integer != int32_t(arg.integer))
    return fail("is " + type + " and cannot hold " + std::to_string(arg.integer));
  if (want.dtype == i32)
    return int64_t(uint32_t(arg.integer));
  if (want.dtype == i64 || want.dtype == index)
    return arg.integer;
  return internalError(sig->name + ": scalars of type " + type + " cannot be passed");
}

Status LoadedKernel::resolve(std::span<const Arg> args, std::vector<int64_t> &slots, std::vector<int64_t> &grid) const {
  auto fail = [&](const std::string &what) { return invalidArgument(sig->name + ": " + what); };
  if (args.size() != sig->args.size())
    return fail("takes " + std::to_string(sig->args.size()) + " arguments, not " + std::to_string(args.size()));
  size_t dims = sig->dims.size();
  slots.assign(dims + args.size(), -1); // -1: a size that no argument has given yet
  // Where each size was first seen, for the message when another argument disagrees.
  struct Seen {
    size_t arg, axis;
  };
  std::vector<Seen> seen(dims);
  for (size_t i = 0; i < args.size(); ++i) {
    const ArgInfo &want = sig->args[i];
    if (want.kind == ArgKind::scalar) {
      slots[dims + i] = TESSERA_TRY(scalarBits(want, args[i]));
      continue;
    }
    TESSERA_TRY(checkTensor(want, args[i]));
    const Buffer &buffer = *args[i].buffer;
    for (size_t axis = 0; axis < want.extents.size(); ++axis) {
      const Extent &e = want.extents[axis];
      int64_t size = buffer.shape()[axis];
      if (e.dim < 0) {
        if (size != e.value)
          return fail(sized(*sig, want, axis, size) + ", but the kernel was made for " + std::to_string(e.value));
        continue;
      }
      int64_t &known = slots[size_t(e.dim)];
      if (known < 0) {
        known = size;
        seen[size_t(e.dim)] = {i, axis};
      } else if (known != size) {
        const Seen &first = seen[size_t(e.dim)];
        return fail(sized(*sig, want, axis, size) + ", but " + sized(*sig, sig->args[first.arg], first.axis, known));
      }
    }
    slots[dims + i] = int64_t(reinterpret_cast<uintptr_t>(buffer.data()));
    // Loads may move across stores to other arguments, so an output shares memory with nothing.
    for (size_t j = 0; j < i; ++j)
      if (sig->args[j].kind != ArgKind::scalar && (isWritten(want) || isWritten(sig->args[j])) &&
          overlap(buffer, *args[j].buffer))
        return fail(want.name + " and " + sig->args[j].name + " overlap in memory, and the kernel writes " +
                    (isWritten(want) ? want.name : sig->args[j].name));
  }
  for (size_t d = 0; d < dims; ++d) {
    if (slots[d] < 0)
      return internalError(sig->name + ": no argument gives the size " + sig->dims[d]);
    int64_t divisor = d < sig->divisors.size() ? sig->divisors[d] : 1;
    if (divisor > 1 && slots[d] % divisor != 0)
      return fail(sized(*sig, sig->args[seen[d].arg], seen[d].axis, slots[d]) + ", which must be a multiple of " +
                  std::to_string(divisor));
  }
  for (const ScaledDim &scaled : sig->scaled) {
    int64_t whole = slots[size_t(scaled.of)], part = slots[size_t(scaled.dim)];
    if (__int128(part) * scaled.over != __int128(whole) * scaled.times)
      return fail(sized(*sig, sig->args[seen[size_t(scaled.dim)].arg], seen[size_t(scaled.dim)].axis, part) +
                  ", which does not fit " + sig->dims[size_t(scaled.of)] + " = " + std::to_string(whole));
  }
  grid.clear();
  for (const GridAxis &axis : sig->grid) {
    int64_t extent = axis.extent.dim < 0 ? axis.extent.value : slots[size_t(axis.extent.dim)];
    grid.push_back((extent + axis.block - 1) / axis.block);
  }
  return {};
}

Status LoadedKernel::launchAll(const Stream &stream, std::span<const Arg> args) const {
  if (&stream.device() != device.get())
    return invalidArgument(sig->name + ": the stream belongs to another device than the kernel");
  std::vector<int64_t> slots, grid;
  TESSERA_TRY(resolve(args, slots, grid));
  return device->launch(stream.handle(), kernel.get(), {slots, grid});
}

Result<PreparedLaunch> LoadedKernel::prepare(std::span<const Arg> args) const {
  PreparedLaunch prepared;
  TESSERA_TRY(resolve(args, prepared.args, prepared.grid));
  prepared.kernel = kernel;
  for (const Arg &arg : args)
    if (arg.buffer)
      prepared.buffers.push_back(*arg.buffer);
  return prepared;
}

int64_t PreparedLaunch::programs() const {
  int64_t total = 1;
  for (int64_t along : grid)
    total *= along;
  return total;
}

} // namespace tessera

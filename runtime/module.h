// LoadedKernel: a compiled kernel on a device, launched with buffers and scalars that are checked against its
// signature.
#pragma once
#include "base/artifact.h"
#include "runtime/buffer.h"
#include "runtime/stream.h"
#include <array>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace tessera {

class Device;

// One argument of a launch. A buffer must outlive the call that takes the Arg.
class Arg {
public:
  Arg(const Buffer &buffer) : buffer(&buffer) {}
  template <std::integral T> Arg(T value) : integer(int64_t(value)), isInteger(true) {}
  template <std::floating_point T> Arg(T value) : real(double(value)) {}

private:
  friend class LoadedKernel;
  const Buffer *buffer = nullptr;
  int64_t integer = 0;
  double real = 0;
  bool isInteger = false;
};

// A launch whose arguments have been checked and resolved once. Keeps the kernel and the buffers' memory alive.
// launch() checks nothing and allocates nothing. One thread at a time.
class PreparedLaunch {
public:
  Status launch(const Stream &stream) const {
    return stream.device().launch(stream.handle(), kernel.get(), {args, grid});
  }
  int64_t programs() const;

private:
  friend class LoadedKernel;
  std::shared_ptr<driver::KernelObject> kernel;
  std::vector<int64_t> args, grid;
  std::vector<Buffer> buffers;
};

// A handle; copies are the same kernel. Thread-safe.
class LoadedKernel {
public:
  static Result<LoadedKernel> load(std::shared_ptr<driver::Driver> device, const Artifact &artifact);
  // For artifacts that come from elsewhere than an engine, such as those of runtime/driver/nvrtc.h.
  static Result<LoadedKernel> load(const Device &device, const Artifact &artifact);

  const Signature &signature() const { return *sig; }

  // Arguments in the signature's order. The symbolic sizes come from the buffers' shapes. Errors (invalidArgument) name
  // the kernel, the argument, the axis and both sizes: wrong count, kind, type, rank, disagreeing sizes, a size that is
  // no multiple of what the kernel needs, a read-only or overlapping output, a buffer of another device.
  template <class... A> Status launch(const Stream &stream, const A &...args) const {
    const std::array<Arg, sizeof...(A)> all = {Arg(args)...};
    return launchAll(stream, all);
  }
  Status launchAll(const Stream &stream, std::span<const Arg> args) const;
  Result<PreparedLaunch> prepare(std::span<const Arg> args) const;
  Result<PreparedLaunch> prepare(std::initializer_list<Arg> args) const {
    return prepare(std::span<const Arg>(args.begin(), args.size()));
  }

private:
  // Fills the slots of base/artifact.h and the grid.
  Status resolve(std::span<const Arg> args, std::vector<int64_t> &slots, std::vector<int64_t> &grid) const;
  Result<int64_t> scalarBits(const ArgInfo &want, const Arg &arg) const;
  Status checkTensor(const ArgInfo &want, const Arg &arg) const;

  std::shared_ptr<driver::Driver> device;
  std::shared_ptr<driver::KernelObject> kernel;
  std::shared_ptr<const Signature> sig;
};

} // namespace tessera

// Runs one traced kernel on one target with poisoned surroundings, the way a user would launch it.
#pragma once
#include "base/dtype.h"
#include "base/target.h"
#include "compiler/compile.h"
#include "compiler/program.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace tessera::conformance {

using Shape = std::vector<int64_t>;

// The rows that this machine can run: its CPU's, and one virtual GPU for each generation. With
// TESSERA_CONFORMANCE_DEVICE=cuda:0 that device's alone, on which everything then runs for real (scripts/gpu).
std::vector<const Target *> runnableTargets();

// Host memory whose end lies within 63 bytes of a page that must not be touched, with NaN bytes (0xff) on both sides.
class PoisonedMemory {
public:
  explicit PoisonedMemory(size_t bytes); // contents: NaN bytes
  std::span<std::byte> span() const { return data; }
  bool surroundingsIntact() const;

private:
  std::shared_ptr<std::byte> mapping;
  std::span<std::byte> all, data;
};

// One launch argument. Copies share the memory.
class Argument {
public:
  static Argument in(DType dtype, Shape shape, std::span<const float> values); // rounded to dtype
  static Argument in(Shape shape, std::span<const int32_t> values);
  static Argument in(Shape shape, std::span<const int8_t> values);
  static Argument packed(DType format, Shape shape, std::span<const std::byte> panels);
  static Argument inOut(DType dtype, Shape shape, std::span<const float> values);
  static Argument out(DType dtype, Shape shape); // filled with NaN bytes
  static Argument scalar(double value);
  static Argument scalar(int64_t value);

  std::vector<float> floats() const;
  template <class T> std::vector<T> as() const {
    const T *first = reinterpret_cast<const T *>(memory->span().data());
    return {first, first + memory->span().size() / sizeof(T)};
  }

  DType dtype = f32;
  Shape shape;
  std::shared_ptr<PoisonedMemory> memory; // null for a scalar
  std::variant<double, int64_t> value;    // of a scalar
  bool writable = false;
};

// Compiles (once a process), loads and launches on two threads; on a virtual GPU once more in the random schedule of
// each seed in TESSERA_CONFORMANCE_SCHEDULES ("1,2,3"), which must leave the same bits and a silent checker. A failure
// is a test failure that names the op; returns false then, and also if the launch wrote outside its outputs.
bool launch(const Target &target, const Result<Program> &program, std::vector<Argument> arguments,
            const Schedule &schedule = {});

// The targets of a whole grid, whose oracle is computed once for all: runnableTargets(), or those of them that
// TESSERA_CONFORMANCE_TARGETS names ("cpu-avx2,t4").
std::vector<const Target *> gridTargets();

// Deterministic inputs: normal values, a tenth of them scaled up tenfold so that blocks have outliers.
std::vector<float> randomFloats(int64_t count, uint32_t seed, float scale = 1);
std::vector<double> widen(std::span<const float> values);

} // namespace tessera::conformance

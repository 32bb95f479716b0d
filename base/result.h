// Result<T>: a value or an Error with blame; every public function that can fail returns one.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tessera {

// Whose fault it is. The first four are the user's or the machine's (exit status 1), `internal` is ours (70).
enum class Blame { invalidArgument, unsupported, device, io, internal };

struct Error {
  Blame blame = Blame::internal;
  std::string message; // one clear sentence: names the file, line, tensor or flag
};

struct Unit {};

// A T or an Error. Not thread-safe; moves like T.
template <class T = Unit> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}
  Result()
    requires std::is_same_v<T, Unit>
      : state(std::in_place_index<0>) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  Error &error() { return std::get<1>(state); }
  const Error &error() const { return std::get<1>(state); }

  // The value, or an abort that names the caller: for examples and tests only.
  T value(std::source_location where = std::source_location::current()) && {
    if (*this)
      return std::move(std::get<0>(state));
    std::fprintf(stderr, "%s:%u: %s\n", where.file_name(), unsigned(where.line()), error().message.c_str());
    std::abort();
  }

private:
  std::variant<T, Error> state;
};

using Status = Result<Unit>;

inline Error invalidArgument(std::string message) { return {Blame::invalidArgument, std::move(message)}; }
inline Error unsupported(std::string message) { return {Blame::unsupported, std::move(message)}; }
inline Error deviceError(std::string message) { return {Blame::device, std::move(message)}; }
inline Error ioError(std::string message) { return {Blame::io, std::move(message)}; }
inline Error internalError(std::string message) { return {Blame::internal, std::move(message)}; }

} // namespace tessera

// The value of a Result, or a return of its error from the enclosing function.
#define TESSERA_TRY(...)                                                                                               \
  __extension__({                                                                                                      \
    auto tryResult = (__VA_ARGS__);                                                                                    \
    if (!tryResult)                                                                                                    \
      return std::move(tryResult.error());                                                                             \
    std::move(*tryResult);                                                                                             \
  })

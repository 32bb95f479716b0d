// What every op of the library says about itself beyond its definition, so that tools can list, trace and time it.
#pragma once
#include "base/result.h"
#include "base/target.h"
#include "dsl/trace.h"
#include <charconv>
#include <map>
#include <string>
#include <string_view>

namespace tessera::ops {

// An op's symbolic sizes and constants by name ("M", "heads"; a flag is 0 or 1).
using Sizes = std::map<std::string, int64_t, std::less<>>;

// What one launch has to do at least: the roofline's two axes.
struct Cost {
  double flops = 0; // multiplies and adds, of floats or integers
  double bytes = 0; // read and written, each once
};

inline int64_t at(const Sizes &sizes, std::string_view name) { return sizes.find(name)->second; }

// The largest power of two that is at most `value` (>= 1).
constexpr int floorPower(int value) {
  int power = 1;
  while (power * 2 <= value)
    power *= 2;
  return power;
}

// Floats that one vector register of the target holds.
inline int lanes(const Target &target) { return target.vectorBytes / 4; }

// Columns that a program takes at a step where it walks along rows: `vectors` registers on a CPU, four elements of each
// of 256 threads on a GPU.
inline int stepAlongRows(const Target &target, int vectors) {
  return target.vendor == Vendor::cpu ? vectors * lanes(target) : 1024;
}

// Sets the fields that "bm=8,bn=32" names and keeps the others. Errors: an unknown field, a value that is no number in
// [1, 65536].
template <class Config> Status parseConfig(std::string_view text, Config &config) {
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    size_t equals = std::min(item.find('='), item.size());
    std::string_view name = item.substr(0, equals), value = item.substr(std::min(equals + 1, item.size()));
    int number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > 65536)
      return invalidArgument("config '" + std::string(item) + "': want name=number with a number from 1 to 65536");
    bool known = false;
    std::string names;
    if constexpr (requires { config.fields([](const char *, int &) {}); })
      config.fields([&](const char *field, int &slot) {
        names += (names.empty() ? "" : ", ") + std::string(field);
        if (name == field)
          slot = number, known = true;
      });
    if (!known)
      return invalidArgument("config has no field '" + std::string(name) + "': it has " +
                             (names.empty() ? "none" : names));
  }
  return {};
}

} // namespace tessera::ops

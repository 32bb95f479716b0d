// trace: runs a kernel's definition once and records it as a Program for compile().
#pragma once
#include "base/result.h"
#include "compiler/program.h"
#include "dsl/kernel.h"
#include <functional>
#include <sstream>

namespace tessera {

// The fields of a config as "bm=8,bn=32".
template <class Config> std::string configText(const Config &config) {
  std::ostringstream text;
  Config copy = config; // fields() is not const: it also parses
  if constexpr (requires { copy.fields([](const char *, auto &) {}); })
    copy.fields([&](const char *name, auto &value) { text << (text.tellp() > 0 ? "," : "") << name << "=" << value; });
  return text.str();
}

// Records `define` as a kernel. Equal definitions give equal Programs in every process, whichever C++ compiler built
// them. The first mistake in the body is the error: invalidArgument, "<file>:<line>: <sentence>". Thread-safe.
Result<Program> traceKernel(std::string name, std::string config, const std::function<void(dsl::Kernel &)> &define,
                            dsl::Where where = dsl::Where::current());

// Records an op: a struct with `name`, a Config and `define(Kernel &, const Config &) const`.
template <class Op>
Result<Program> trace(const Op &op, const typename Op::Config &config, dsl::Where where = dsl::Where::current()) {
  return traceKernel(std::string(Op::name), configText(config), [&](dsl::Kernel &k) { op.define(k, config); }, where);
}

} // namespace tessera

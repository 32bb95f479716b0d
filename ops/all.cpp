#include "ops/all.h"
#include "ops/gemm_plan.h"
#include <algorithm>
#include <array>

namespace tessera::ops {

// The request with the op's defaults filled in, or why it makes no sense.
template <class Op> static Result<OpRequest> complete(const OpRequest &request) {
  OpRequest full{request.dtype.value_or(Op::dtypes[0]), request.config, Op::sizes()};
  if (std::ranges::find(Op::dtypes, *full.dtype) == std::end(Op::dtypes))
    return unsupported("op '" + std::string(Op::name) + "' does not take dtype " + std::string(name(*full.dtype)));
  for (const auto &[key, value] : request.sizes) {
    auto slot = full.sizes.find(key);
    if (slot == full.sizes.end())
      return invalidArgument("op '" + std::string(Op::name) + "' has no size '" + key + "'");
    if (value < 0)
      return invalidArgument("size '" + key + "' of op '" + std::string(Op::name) + "' is negative");
    slot->second = value;
  }
  return full;
}

// Ops whose best blocking depends on how many rows there are name that size here.
template <class Op> static typename Op::Config configFor(const Op &op, const Sizes &sizes, const Target &target) {
  if constexpr (std::is_same_v<Op, Gemm>)
    return planGemm(op, sizes, target).config;
  else if constexpr (requires { op.defaultConfig(target, int64_t(1)); })
    return op.defaultConfig(target, at(sizes, sizes.contains("queries") ? "queries" : "M"));
  else
    return op.defaultConfig(target);
}

template <class Op> static OpInfo infoOf() {
  return {
      .name = Op::name,
      .dtypes = Op::dtypes,
      .sizes = Op::sizes(),
      .defaultConfig =
          [](const OpRequest &request, const Target &target) {
            Result<OpRequest> full = complete<Op>(request);
            return full ? configText(configFor(Op::of(*full->dtype, full->sizes), full->sizes, target)) : std::string();
          },
      .trace = [](const OpRequest &request, const Target &target) -> Result<Program> {
        OpRequest full = TESSERA_TRY(complete<Op>(request));
        Op op = Op::of(*full.dtype, full.sizes);
        typename Op::Config config = configFor(op, full.sizes, target);
        TESSERA_TRY(parseConfig(full.config, config));
        return trace(op, config);
      },
      .cost = [](const OpRequest &request) -> Result<Cost> {
        OpRequest full = TESSERA_TRY(complete<Op>(request));
        return Op::of(*full.dtype, full.sizes).cost(full.sizes);
      },
  };
}

std::span<const OpInfo> all() {
  static const auto list = []<class... Op>(std::tuple<Op...> *) {
    return std::array{infoOf<Op>()...};
  }(static_cast<All *>(nullptr));
  return list;
}

Result<const OpInfo *> findOp(std::string_view name) {
  std::string known;
  for (const OpInfo &op : all()) {
    if (op.name == name)
      return &op;
    known += (known.empty() ? "" : ", ") + std::string(op.name);
  }
  return invalidArgument("unknown op '" + std::string(name) + "': known are " + known);
}

} // namespace tessera::ops

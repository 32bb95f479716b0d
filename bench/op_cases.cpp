#include "bench/op_cases.h"
#include <charconv>
#include <cstring>
#include <numeric>
#include <random>

namespace tessera::bench {
using ops::Sizes;

std::vector<DType> dtypesOf(const ops::OpInfo &op, const Target &target) {
  std::vector<DType> dtypes(op.dtypes.begin(), op.dtypes.end());
  std::erase_if(dtypes, [&](DType dtype) { return op.name == "gemm" && isFloat8(dtype) && !target.has("fp8"); });
  return dtypes;
}

std::vector<Sizes> casesOf(const ops::OpInfo &op, DType dtype) {
  static const std::map<std::string_view, std::vector<Sizes>> cases = {
      {"gemm", {{{"M", 64}, {"N", 576}, {"K", 576}}, {}, {{"M", 1024}, {"N", 1024}, {"K", 1024}}}},
      {"quant_matmul",
       {{},
        {{"M", 1}, {"N", 576}, {"K", 1536}},
        {{"M", 1}, {"N", 49152}, {"K", 576}},
        {{"M", 1}, {"N", 4096}, {"K", 4096}},
        {{"M", 64}, {"N", 1536}, {"K", 576}},
        {{"M", 256}, {"N", 1536}, {"K", 576}}}},
      {"attention",
       {{{"slots", 8}, {"pages", 8}},
        {},
        {{"queries", 64}, {"slots", 4}, {"pages", 4}},
        {{"queries", 256}, {"slots", 16}, {"pages", 16}}}},
      {"rms_norm", {{{"T", 1}}, {}, {{"T", 64}, {"residual", 1}}}},
      {"quantize", {{{"T", 1}, {"D", 576}}, {}}},
      {"silu_and_mul", {{{"T", 1}}, {{"T", 1}, {"group", 32}}, {}}},
      {"rope", {{{"T", 1}}, {}}},
      {"kv_append", {{{"T", 1}}, {}}},
      {"embedding", {{{"T", 1}}, {}}},
  };
  auto found = cases.find(op.name);
  std::vector<Sizes> chosen = found == cases.end() ? std::vector<Sizes>{{}} : found->second;
  if (isQuantized(dtype)) // a row is whole blocks
    for (Sizes &over : chosen)
      for (const auto &[name, size] : sizesOf(op, over))
        if (int64_t block = info(dtype).packed->block; (name == "K" || name == "D") && size % block)
          over[name] = (size / block + 1) * block;
  return chosen;
}

Sizes sizesOf(const ops::OpInfo &op, const Sizes &over) {
  Sizes sizes = op.sizes;
  for (const auto &[name, value] : over)
    sizes[name] = value;
  return sizes;
}

std::string shapeText(const Sizes &sizes) {
  std::string text;
  for (const auto &[name, value] : sizes)
    if (value)
      text += (text.empty() ? "" : ",") + name + "=" + std::to_string(value);
  return text;
}

// "K", "K/32" and "d*2": a size's name says how it follows from another.
static Result<int64_t> sizeOf(std::string_view name, const Sizes &sizes) {
  if (name == "panels") // of a matrix's N columns
    return (ops::at(sizes, "N") + ops::at(sizes, "panel") - 1) / ops::at(sizes, "panel");
  size_t end = std::min(name.find_first_of("*/"), name.size());
  auto base = sizes.find(name.substr(0, end));
  if (base == sizes.end())
    return internalError("no size for the dim '" + std::string(name) + "'");
  int64_t value = base->second;
  while (end < name.size()) {
    char sign = name[end];
    int64_t number = 1;
    auto [next, error] = std::from_chars(&name[end] + 1, name.data() + name.size(), number);
    if (error != std::errc() || number < 1)
      return internalError("cannot read the dim '" + std::string(name) + "'");
    value = sign == '*' ? value * number : value / number;
    end = size_t(next - name.data());
  }
  return value;
}

// Index arguments by their name in the ops' signatures.
static std::vector<int32_t> indices(std::string_view name, int64_t count, const Sizes &sizes) {
  std::vector<int32_t> values(count);
  auto spread = [&](int64_t below) {
    for (int64_t i = 0; i < count; ++i)
      values[i] = int32_t(i * 7919 % below);
  };
  if (name == "tokens")
    spread(ops::at(sizes, "V"));
  else if (name == "pos")
    spread(ops::at(sizes, "P"));
  else if (name == "table")
    spread(ops::at(sizes, "pages"));
  else if (name == "slots")
    std::iota(values.begin(), values.end(), 0);
  else if (name == "length") // all that the cache, or the splits of it, hold
    std::ranges::fill(values, int32_t(sizes.contains("slots") ? ops::at(sizes, "slots") * ops::at(sizes, "pageSize")
                                                              : ops::at(sizes, "splits") * ops::at(sizes, "split")));
  else
    spread(100); // block sums
  return values;
}

static void fill(const ArgInfo &arg, const Sizes &sizes, std::vector<std::byte> &bytes) {
  std::minstd_rand random(1);
  if (arg.dtype == i32) {
    std::vector<int32_t> values = indices(arg.name, int64_t(bytes.size() / 4), sizes);
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else if (arg.dtype == f32) {
    for (size_t i = 0; i < bytes.size(); i += 4) {
      float value = float(random() % 2048) / 1024.0f - 1.0f;
      std::memcpy(&bytes[i], &value, 4);
    }
  } else { // codes of any kind; as f16, bf16, scales and mins: between 2^-7 and 2^-6, whatever the low byte
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = std::byte(info(arg.dtype).isFloat || isPacked(arg.dtype) ? (i % 2 ? 0x21 : random() & 0xff)
                                                                          : random() & 0xff);
  }
}

Result<std::unique_ptr<CaseArguments>> argumentsOf(const Device &device, const Signature &signature,
                                                   const Sizes &sizes) {
  auto result = std::make_unique<CaseArguments>();
  result->buffers.resize(signature.args.size());
  for (size_t i = 0; i < signature.args.size(); ++i) {
    const ArgInfo &arg = signature.args[i];
    if (arg.kind == ArgKind::scalar) {
      if (info(arg.dtype).isFloat)
        result->args.emplace_back(1e-5);
      else // a size that no tensor has
        result->args.emplace_back(ops::at(sizes, arg.name));
      continue;
    }
    tessera::Shape shape;
    for (Extent extent : arg.extents)
      shape.push_back(extent.dim < 0 ? extent.value : TESSERA_TRY(sizeOf(signature.dims[extent.dim], sizes)));
    Buffer &buffer = result->buffers[i] = TESSERA_TRY(device.alloc(arg.dtype, shape));
    std::vector<std::byte> bytes(buffer.bytes());
    fill(arg, sizes, bytes);
    TESSERA_TRY(buffer.copyFrom(bytes.data(), buffer.bytes()));
    result->bytes += double(buffer.bytes());
    result->args.emplace_back(buffer);
  }
  return result;
}

} // namespace tessera::bench

#include "cli/request.h"
#include <charconv>

namespace tessera::cli {

static Result<ops::Sizes> parseSizes(std::string_view text) {
  ops::Sizes sizes;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    size_t equals = item.find('=');
    int64_t value = 0;
    std::string_view digits = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size())
      return invalidArgument("--size '" + std::string(item) + "': want name=number");
    sizes[std::string(item.substr(0, equals))] = value;
  }
  return sizes;
}

void RequestFlags::addTo(CLI::App &command) {
  command.add_option("--config", config, "name=number,... over the target's default config");
  command.add_option("--size", size, "name=number,... over the op's default shape");
  command.add_option("--dtype", dtype, "Element or weight type, e.g. f16, q4_1");
}

Result<ops::OpRequest> RequestFlags::read() const {
  ops::OpRequest request{.config = config, .sizes = TESSERA_TRY(parseSizes(size))};
  if (dtype.empty())
    return request;
  request.dtype = dtypeByName(dtype);
  if (!request.dtype)
    return invalidArgument("unknown dtype '" + dtype + "'");
  return request;
}

} // namespace tessera::cli

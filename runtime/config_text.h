// parseConfig: reads an op's configuration from "bm=8,bn=32", the form that configText() (dsl/trace.h) prints.
#pragma once
#include "base/result.h"
#include <sstream>
#include <string>
#include <string_view>

namespace tessera {

// Sets the fields that `text` names and keeps the others; empty text changes nothing. Errors name the field.
template <class Config> Status parseConfig(std::string_view text, Config &config) {
  while (!text.empty()) {
    size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
    size_t equals = item.find('=');
    std::string_view key = item.substr(0, equals);
    std::string known;
    bool found = false, parsed = false;
    auto field = [&](std::string_view name, auto &value) {
      known += (known.empty() ? "" : ", ") + std::string(name);
      if (name != key || equals == std::string_view::npos)
        return;
      found = true;
      std::istringstream in{std::string(item.substr(equals + 1))};
      parsed = bool(in >> value) && in.peek() == std::istringstream::traits_type::eof();
    };
    if constexpr (requires { config.fields(field); })
      config.fields(field);
    if (!found)
      return invalidArgument("'" + std::string(item) + "' sets none of the configuration's fields (" + known + ")");
    if (!parsed)
      return invalidArgument("the value in '" + std::string(item) + "' cannot be read");
  }
  return {};
}

} // namespace tessera

// JsonValue: a JSON document of untrusted origin, read with errors that name the file and the key. Private to the model
// readers.
#pragma once
#include "base/result.h"
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

// A value of a parsed document and the way to it. Cheap to copy; the document lives as long as any copy.
class JsonValue {
public:
  // Errors: text that is no JSON, or nests deeper than 64; a key that appears twice in one object.
  static Result<JsonValue> parse(const std::string &path, std::string_view text);
  // The same for a file of at most `limit` bytes.
  static Result<JsonValue> open(const std::string &path, uint64_t limit = uint64_t(1) << 28);

  bool has(std::string_view key) const; // an object with that key, and its value is not null
  bool isNull() const { return value->is_null(); }
  bool isObject() const { return value->is_object(); }
  bool isArray() const { return value->is_array(); }
  bool isString() const { return value->is_string(); }

  Result<JsonValue> at(std::string_view key) const; // error: no such key
  Result<std::vector<JsonValue>> elements() const;  // error: not an array
  // T: bool, int64_t, double (any number, finite), std::string.
  template <class T> Result<T> as() const;
  template <class T> Result<T> get(std::string_view key) const { return TESSERA_TRY(at(key)).as<T>(); }
  template <class T> Result<T> getOr(std::string_view key, T fallback) const {
    return has(key) ? get<T>(key) : Result<T>(std::move(fallback));
  }

  const nlohmann::json &raw() const { return *value; }
  std::string about(std::string_view what) const; // "<path>: '<way>' <what>"

private:
  JsonValue(std::shared_ptr<const nlohmann::json> value, std::string path, std::string way)
      : value(std::move(value)), path(std::move(path)), way(std::move(way)) {}
  JsonValue child(const nlohmann::json &inner, std::string name) const;

  std::shared_ptr<const nlohmann::json> value;
  std::string path, way; // "rope_scaling.factor"
};

} // namespace tessera::model

#include "runtime/model/json.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/mapped_file.h"
#include <cmath>
#include <limits>

namespace tessera::model {

using nlohmann::json;

static constexpr int depthLimit = 64;

// Brackets outside strings; malformed text is the parser's affair.
static bool nestsTooDeep(std::string_view text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      i += c == '\\';
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      if (++depth > depthLimit)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Counts the keys as they are read, to compare with those that the object kept.
struct KeyCounter {
  std::vector<size_t> open;
  bool twice = false;
  bool operator()(int, json::parse_event_t event, json &parsed) {
    using Event = json::parse_event_t;
    if (event == Event::object_start)
      open.push_back(0);
    else if (event == Event::key)
      ++open.back();
    else if (event == Event::object_end) {
      twice |= parsed.size() != open.back();
      open.pop_back();
    }
    return true;
  }
};

Result<JsonValue> JsonValue::parse(const std::string &path, std::string_view text) {
  if (nestsTooDeep(text))
    return invalidArgument(path + ": the JSON nests deeper than " + std::to_string(depthLimit));
  KeyCounter keys;
  json parsed = json::parse(text.begin(), text.end(), std::ref(keys), false);
  if (parsed.is_discarded())
    return invalidArgument(path + ": not a valid JSON document");
  if (keys.twice)
    return invalidArgument(path + ": a key appears twice in one object of the JSON document");
  return JsonValue(std::make_shared<const json>(std::move(parsed)), path, "");
}

Result<JsonValue> JsonValue::open(const std::string &path, uint64_t limit) {
  auto file = TESSERA_TRY(MappedFile::open(path));
  std::string_view text(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  if (text.size() > limit)
    return invalidArgument(path + ": the file has " + std::to_string(text.size()) + " bytes, over the limit of " +
                           std::to_string(limit));
  return parse(path, text);
}

JsonValue JsonValue::child(const json &inner, std::string name) const {
  return JsonValue(std::shared_ptr<const json>(value, &inner), path, way.empty() ? name : way + "." + name);
}

bool JsonValue::has(std::string_view key) const {
  if (!value->is_object())
    return false;
  auto at = value->find(key);
  return at != value->end() && !at->is_null();
}

Result<JsonValue> JsonValue::at(std::string_view key) const {
  if (!value->is_object())
    return invalidArgument(about("is not an object"));
  auto found = value->find(key);
  if (found == value->end())
    return invalidArgument(path + ": the key " +
                           model::quoted(way.empty() ? std::string(key) : way + "." + std::string(key)) +
                           " is missing");
  return child(*found, std::string(key));
}

Result<std::vector<JsonValue>> JsonValue::elements() const {
  if (!value->is_array())
    return invalidArgument(about("is not an array"));
  std::vector<JsonValue> out;
  for (const json &element : *value)
    out.push_back(child(element, std::to_string(out.size())));
  return out;
}

template <> Result<bool> JsonValue::as() const {
  if (!value->is_boolean())
    return invalidArgument(about("is neither true nor false"));
  return value->get<bool>();
}
template <> Result<int64_t> JsonValue::as() const {
  bool fits = value->is_number_integer() &&
              (!value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t(std::numeric_limits<int64_t>::max()));
  if (!fits)
    return invalidArgument(about("is not an integer of at most 63 bits"));
  return value->get<int64_t>();
}
template <> Result<double> JsonValue::as() const {
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    return invalidArgument(about("is not a finite number"));
  return value->get<double>();
}
template <> Result<std::string> JsonValue::as() const {
  if (!value->is_string())
    return invalidArgument(about("is not a string"));
  return value->get<std::string>();
}

std::string JsonValue::about(std::string_view what) const {
  return path + ": " + (way.empty() ? "the document" : model::quoted(way)) + " " + std::string(what);
}

} // namespace tessera::model

#include "runtime/model/gguf_writer.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace tessera::model {

namespace {
template <class T> void put(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

void putString(std::string &out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

void pad(std::string &out) {
  out.resize((out.size() + ggufDefaultAlignment - 1) / ggufDefaultAlignment * ggufDefaultAlignment);
}
} // namespace

void GgufWriter::key(std::string_view key, GgufType type) {
  putString(entries, key);
  put(entries, type);
  ++entryCount;
}

void GgufWriter::addInteger(std::string_view name, uint32_t value) {
  key(name, GgufType::u32);
  put(entries, value);
}

void GgufWriter::addReal(std::string_view name, float value) {
  key(name, GgufType::f32);
  put(entries, value);
}

void GgufWriter::addBoolean(std::string_view name, bool value) {
  key(name, GgufType::boolean);
  put(entries, uint8_t(value));
}

void GgufWriter::addString(std::string_view name, std::string_view value) {
  key(name, GgufType::string);
  putString(entries, value);
}

void GgufWriter::addStrings(std::string_view name, std::span<const std::string> values) {
  key(name, GgufType::array);
  put(entries, GgufType::string);
  put<uint64_t>(entries, values.size());
  for (const std::string &value : values)
    putString(entries, value);
}

void GgufWriter::addIntegers(std::string_view name, std::span<const int32_t> values) {
  key(name, GgufType::array);
  put(entries, GgufType::i32);
  put<uint64_t>(entries, values.size());
  for (int32_t value : values)
    put(entries, value);
}

void GgufWriter::addReals(std::string_view name, std::span<const float> values) {
  key(name, GgufType::array);
  put(entries, GgufType::f32);
  put<uint64_t>(entries, values.size());
  for (float value : values)
    put(entries, value);
}

void GgufWriter::addTensor(std::string_view name, const GgmlType &type, std::span<const int64_t> shape,
                           std::string bytes) {
  tensors.push_back({std::string(name), &type, {shape.begin(), shape.end()}, std::move(bytes)});
}

std::string GgufWriter::bytes() const {
  std::string out = "GGUF";
  put(out, ggufVersion);
  put<uint64_t>(out, tensors.size());
  put(out, entryCount);
  out += entries;
  std::string data;
  for (const Tensor &tensor : tensors) {
    putString(out, tensor.name);
    put(out, uint32_t(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;)
      put(out, uint64_t(tensor.shape[i]));
    put(out, tensor.type->id);
    put<uint64_t>(out, data.size());
    data += tensor.bytes;
    pad(data);
  }
  pad(out);
  return out + data;
}

Status GgufWriter::write(const std::string &path) const {
  std::string contents = bytes(), temporary = path + ".tmp" + std::to_string(::getpid());
  auto fail = [&](int error) {
    std::remove(temporary.c_str());
    return ioError(path + ": cannot be written: " + std::strerror(error));
  };
  std::FILE *file = std::fopen(temporary.c_str(), "wb");
  if (!file)
    return fail(errno);
  bool written = std::fwrite(contents.data(), 1, contents.size(), file) == contents.size();
  int error = errno;
  if (std::fclose(file) != 0 || !written)
    return fail(written ? errno : error);
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    return fail(errno);
  return {};
}

} // namespace tessera::model

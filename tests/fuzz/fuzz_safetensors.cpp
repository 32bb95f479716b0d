// Any text as the header of a safetensors file, and as a config.json: the readers must answer with an error or with
// tensors whose bytes are there. An odd first byte: the bytes are the whole file.
#include "runtime/model/hugging_face.h"
#include "runtime/model/safetensors.h"
#include "tests/fuzz/memory_file.h"
#include <cstdlib>
#include <cstring>

using namespace tessera::model;

static std::string withHeader(std::string_view header) {
  uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file.append(header).append(256, 'x');
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(bytes), size);
  if (text.empty())
    return 0;
  bool isWhole = text[0] & 1;
  text.remove_prefix(1);
  std::string file = isWhole ? std::string(text) : withHeader(text);
  tessera::test::MemoryFile memory(reinterpret_cast<const uint8_t *>(file.data()), file.size());
  unsigned sum = 0;
  if (auto tensors = Safetensors::open(memory.path()))
    for (const SafetensorsEntry &tensor : tensors->tensors)
      for (std::byte byte : tensor.bytes)
        sum += unsigned(byte);
  if (sum == 1)
    std::abort();
  if (auto json = JsonValue::parse("config.json", text))
    (void)bool(configFromJson(*json, "fuzz"));
  return 0;
}

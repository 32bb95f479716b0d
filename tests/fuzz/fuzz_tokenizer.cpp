// Any bytes as a prompt: every one is encoded, and what valid UTF-8 was encoded to decodes to itself.
#include "runtime/model/make_model.h"
#include "runtime/model/tokenizer.h"
#include "runtime/model/utf8.h"
#include "tests/fuzz/memory_file.h"
#include <cstdlib>

using namespace tessera::model;

static const Tokenizer &tinyTokenizer() {
  static const Tokenizer tokenizer = [] {
    std::string path = "/tmp/tessera-fuzz-" + std::to_string(::getpid()) + ".gguf";
    makeModel(path, {}).value();
    Tokenizer made = Tokenizer::fromGguf(Gguf::open(path).value()).value();
    ::unlink(path.c_str());
    return made;
  }();
  return tokenizer;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(bytes), size);
  const Tokenizer &tokenizer = tinyTokenizer();
  // As plain text: control tokens would not decode to what they were spelled as.
  std::vector<int32_t> tokens = tokenizer.encode(text, {.parseSpecial = false}).value();
  std::string decoded = tokenizer.decode(tokens);
  if (decoded != repairUtf8(text))
    std::abort();
  (void)tokenizer.encode(text).value();

  // A stream cut anywhere gives what the whole gives.
  Utf8Stream whole, pieces;
  std::string atOnce = whole.push(text) + whole.finish(), byByte;
  for (char byte : text)
    byByte += pieces.push(std::string_view(&byte, 1));
  if (byByte + pieces.finish() != atOnce)
    std::abort();
  return 0;
}

// Any bytes as a model file: the readers must answer with an error or with a model that is safe to use.
#include "runtime/model/chat.h"
#include "runtime/model/config.h"
#include "runtime/model/tokenizer.h"
#include "tests/fuzz/memory_file.h"
#include <cstdlib>

using namespace tessera::model;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  tessera::test::MemoryFile memory(bytes, size);
  auto file = Gguf::open(memory.path());
  if (!file)
    return 0;
  unsigned sum = 0;
  for (const GgufTensor &tensor : file->tensors())
    for (std::byte byte : tensor.bytes) // every byte that a tensor claims must be there
      sum += unsigned(byte);
  if (sum == 1)
    std::abort();
  (void)bool(modelConfig(*file));
  (void)bool(chatPrompt(*file, "Hi"));
  auto tokenizer = Tokenizer::fromGguf(*file);
  if (!tokenizer)
    return 0;
  auto tokens = tokenizer->encode("The wall, <|im_start|>12 stones.\n\xff");
  if (!tokens)
    std::abort();
  for (int32_t token : *tokens)
    if (token < 0 || token >= tokenizer->size())
      std::abort();
  tokenizer->decode(*tokens);
  return 0;
}

// Any bytes as a tokenizer.json: the reader must answer with an error, or with a tokenizer that encodes every text into
// tokens of its vocabulary.
#include "runtime/model/tokenizer.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace tessera::model;

static const std::string &folder() {
  struct Folder {
    std::string path = "/dev/shm/tessera-fuzz-" + std::to_string(::getpid());
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static Folder folder;
  return folder.path;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::ofstream(folder() + "/tokenizer.json", std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes), std::streamsize(size));
  auto tokenizer = Tokenizer::fromJson(folder(), {}, 1024);
  if (!tokenizer)
    return 0;
  for (std::string_view text : {"The wall, <|end|> 12 stones.\n\xff", "   a b", ""}) {
    auto tokens = tokenizer->encode(text);
    if (!tokens)
      continue; // the file's regex may give up
    for (int32_t token : *tokens)
      if (token < 0 || token >= tokenizer->size())
        std::abort();
    tokenizer->decode(*tokens);
  }
  return 0;
}

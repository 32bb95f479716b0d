// Model files broken in one place at a time: every key, type, value, name and shape of a GGUF file, every value of the
// JSON that Hugging Face's folders hold. The readers answer with one sentence, or with a model where nothing is wrong.
#include "runtime/model/gguf_writer.h"
#include "runtime/model/model_file.h"
#include "tests/decode/family_files.h"
#include "tests/model/raw_gguf.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <random>

namespace tessera::model {
namespace {

using decode::Json;

struct Folder {
  std::string path = (std::filesystem::exists("/dev/shm") ? "/dev/shm" : testing::TempDir()) +
                     ("/tessera-broken-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path + "/" + name, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  }
  std::string read(const std::string &name) const {
    std::ifstream in(path + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

const Json &golden(const std::string &name) {
  const Json &models = decode::familyGoldens()["models"];
  return *std::ranges::find_if(models, [&](const Json &model) { return model["name"] == name; });
}

void checkSentence(const Error &error, const std::string &path) {
  EXPECT_NE(error.blame, Blame::internal) << error.message;
  EXPECT_EQ(error.message.rfind(path, 0), 0u) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  EXPECT_LT(error.message.size(), 500u) << error.message;
}

// "" where the model was found valid.
std::string refusal(const std::string &path) {
  Result<ModelFile> file = ModelFile::open(path);
  if (file)
    return "";
  checkSentence(file.error(), path);
  return file.error().message.substr(path.size());
}

// ---- GGUF ----

// Metadata and tensors of a file, to be changed one at a time.
struct Parts {
  Json metadata;
  std::vector<GgufTensor> tensors;
};

class BrokenGguf : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    decode::writeGguf(golden(GetParam()), whole);
    file.emplace(Gguf::open(whole).value());
    parts.tensors.assign(file->tensors().begin(), file->tensors().end());
    std::string architecture = golden(GetParam())["architecture"];
    parts.metadata["general.architecture"] = architecture;
    for (const auto &[key, value] : golden(GetParam())["metadata"].items())
      parts.metadata[architecture + "." + key] = value;
  }

  std::string refusalOf(const Parts &broken) {
    GgufWriter writer;
    for (const auto &[key, value] : broken.metadata.items()) {
      if (value.is_string())
        writer.addString(key, value.get<std::string>());
      else if (value.is_boolean())
        writer.addBoolean(key, value.get<bool>());
      else if (value.is_number_integer())
        writer.addInteger(key, value.get<uint32_t>());
      else if (value.is_array())
        writer.addIntegers(key, std::vector<int32_t>{1, 2});
      else
        writer.addReal(key, value.get<float>());
    }
    for (const GgufTensor &tensor : broken.tensors)
      writer.addTensor(tensor.name, *tensor.type, tensor.shape,
                       {reinterpret_cast<const char *>(tensor.bytes.data()), tensor.bytes.size()});
    (void)writer.write(path).value();
    ++files;
    return refusal(path);
  }

  Folder folder;
  std::string whole = folder.path + "/whole.gguf", path = folder.path + "/broken.gguf";
  std::optional<Gguf> file;
  Parts parts;
  int files = 0;
};
INSTANTIATE_TEST_SUITE_P(, BrokenGguf, testing::Values("gemma3", "phi3_long", "qwen2", "llama"),
                         [](const auto &info) { return std::string(info.param); });

bool isRequired(std::string_view key) {
  for (std::string_view end : {"general.architecture", ".block_count", ".context_length", ".embedding_length",
                               ".feed_forward_length", ".attention.head_count"})
    if (key.ends_with(end))
      return true;
  return false;
}

TEST_P(BrokenGguf, EveryMetadataKey) {
  ASSERT_EQ(refusalOf(parts), "");
  for (const auto &[key, original] : parts.metadata.items()) {
    Parts broken = parts;
    broken.metadata.erase(key);
    std::string missing = refusalOf(broken);
    if (isRequired(key))
      EXPECT_EQ(missing, ": the metadata key '" + key + "' is missing");
    // A value of another type is never taken for the right one.
    std::vector<Json> wrong = {true, Json::array()};
    wrong.push_back(original.is_string() ? Json(7) : Json("seven"));
    if (!original.is_string())
      wrong.push_back(original.is_number_integer() ? Json(1.5) : Json(3));
    for (const Json &value : wrong) {
      broken.metadata[key] = value;
      EXPECT_NE(refusalOf(broken).find(key), std::string::npos) << key << " = " << value;
    }
    if (original.is_string())
      continue;
    std::vector<Json> extremes = {0u, 1u, 3u, 0x7fffffffu, 0xffffffffu};
    if (!original.is_number_integer())
      extremes = {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e-30, 1e30};
    for (const Json &value : extremes) {
      broken.metadata[key] = value;
      refusalOf(broken); // some are odd but valid; none may do worse than a sentence
    }
  }
  RecordProperty("files", files);
  EXPECT_GT(files, 60);
}

TEST_P(BrokenGguf, EveryTensor) {
  size_t count = std::min<size_t>(parts.tensors.size(), 30);
  for (size_t i = 0; i < count; ++i) {
    Parts broken = parts;
    std::string name(parts.tensors[i].name);
    broken.tensors.erase(broken.tensors.begin() + ptrdiff_t(i));
    // Without a head of its own a model takes the embedding, without factors it turns plainly.
    bool isOptional = name == "output.weight";
    EXPECT_EQ(refusalOf(broken).empty(), isOptional) << name;
    broken = parts;
    broken.tensors[i].name = "blk.0.stranger.weight";
    EXPECT_NE(refusalOf(broken), "") << name;
    broken = parts;
    broken.tensors[i].shape.front() -= 1;
    broken.tensors[i].bytes = broken.tensors[i].bytes.first(size_t(broken.tensors[i].elements()) * 4);
    bool decidesVocabulary = name == "token_embd.weight" && !file->find("output.weight");
    EXPECT_EQ(refusalOf(broken).empty(), decidesVocabulary) << name;
    broken = parts;
    broken.tensors[i].shape.push_back(1);
    EXPECT_NE(refusalOf(broken), "") << name;
    broken = parts;
    broken.tensors[i].type = ggmlTypeByName("I32");
    EXPECT_NE(refusalOf(broken), "") << name;
  }
  RecordProperty("files", files);
  EXPECT_GE(files, 75);
}

// ---- JSON ----

// Calls `use` with the document broken at one place, for every value in it (of lists the first two elements, of large
// objects the first four).
void breakEverywhere(const Json &whole, const std::function<void(const Json &, const std::string &)> &use) {
  static const Json replacements[] = {nullptr,       true,          -1, 0, 1e300, uint64_t(1) << 63, "", "strange",
                                      Json::array(), Json::object()};
  std::vector<Json::json_pointer> places;
  std::function<void(const Json &, Json::json_pointer)> visit = [&](const Json &value, const Json::json_pointer &at) {
    places.push_back(at);
    size_t children = 0;
    if (value.is_object())
      for (const auto &[key, child] : value.items()) {
        if (++children <= (value.size() > 40 ? 4 : 40))
          visit(child, at / key);
      }
    if (value.is_array())
      for (size_t i = 0; i < std::min<size_t>(value.size(), 2); ++i)
        visit(value[i], at / i);
  };
  visit(whole, Json::json_pointer());
  for (const Json::json_pointer &place : places) {
    for (const Json &replacement : replacements) {
      Json broken = whole;
      if (whole[place] == replacement)
        continue;
      broken[place] = replacement;
      use(broken, place.to_string() + " = " + replacement.dump());
    }
    if (place.empty() || !whole[place.parent_pointer()].is_object())
      continue;
    Json broken = whole;
    broken[place.parent_pointer()].erase(place.back());
    use(broken, place.to_string() + " removed");
  }
}

TEST(BrokenFolder, ConfigJson) {
  int refused = 0, all = 0;
  for (const char *name : {"gemma2", "phi3_long", "llama3_rope"}) {
    Folder folder;
    decode::writeFolder(golden(name), folder.path);
    ASSERT_EQ(refusal(folder.path), "");
    breakEverywhere(golden(name)["config"], [&](const Json &broken, const std::string &what) {
      SCOPED_TRACE(what);
      folder.write("config.json", broken.dump());
      ++all, refused += refusal(folder.path) != "";
    });
  }
  EXPECT_GT(all, 1000);
  EXPECT_GT(refused, all / 4); // most keys mean nothing to us
}

TEST(BrokenFolder, SafetensorsHeader) {
  Folder folder;
  decode::writeFolder(golden("qwen2"), folder.path);
  std::string bytes = folder.read("model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  Json header = Json::parse(bytes.substr(8, length));
  std::string data = bytes.substr(8 + length);
  auto write = [&](const std::string &text) {
    uint64_t size = text.size();
    folder.write("model.safetensors", std::string(reinterpret_cast<const char *>(&size), 8) + text + data);
  };
  write(header.dump());
  ASSERT_EQ(refusal(folder.path), "");
  breakEverywhere(header, [&](const Json &broken, const std::string &what) {
    write(broken.dump());
    EXPECT_EQ(refusal(folder.path).empty(), what.starts_with("/__metadata__")) << what;
  });
}

// The sentences that a user would see.
TEST(BrokenFolder, SafetensorsSentences) {
  Folder folder;
  decode::writeFolder(golden("qwen2"), folder.path);
  auto file = [](const std::string &header, size_t data) {
    uint64_t size = header.size();
    return std::string(reinterpret_cast<const char *>(&size), 8) + header + std::string(data, '\0');
  };
  auto entry = [](const std::string &dtype, const std::string &shape, const std::string &offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "the file is empty"},
      {"1234", "not a safetensors file: it has only 4 bytes"},
      {std::string(8, '\xff'), "not a safetensors file: its header claims 18446744073709551615 bytes where 0 follow"},
      {file("{}", 0).substr(0, 9), "not a safetensors file: its header claims 2 bytes where 1 follow"},
      {file("{", 0), "not a valid JSON document"},
      {file("[]", 0), "the safetensors header is not an object"},
      {file(std::string(70, '['), 0), "the JSON nests deeper than 64"},
      {file(R"({"a":1,"a":2})", 0), "a key appears twice in one object of the JSON document"},
      {file("{\"\xff\":1}", 0), "not a valid JSON document"},
      {file(entry("F8_E4M3", "[1]", "[0,1]"), 1), "'a' has the type 'F8_E4M3', which is not supported"},
      {file(entry("F32", "[]", "[0,4]"), 4), "'a' has 0 dimensions, not 1 to 8"},
      {file(entry("F32", "[0]", "[0,0]"), 0), "'a' has an extent of 0"},
      {file(entry("F32", "[-1]", "[0,4]"), 4), "'a' has an extent of -1"},
      {file(entry("F32", "[4294967296,4294967296]", "[0,4]"), 4), "'a' has more bytes than 63 bits can count"},
      {file(entry("F32", "[1.5]", "[0,4]"), 4), "'a.shape.0' is not an integer of at most 63 bits"},
      {file(entry("F32", "[1]", "[0]"), 4), "'a.data_offsets' is not a begin and an end"},
      {file(entry("F32", "[1]", "[0,8]"), 4), "'a.data_offsets' is outside the file's 4 bytes of data"},
      {file(entry("F32", "[1]", "[-4,0]"), 4), "'a.data_offsets' is outside the file's 4 bytes of data"},
      {file(entry("F32", "[1]", "[4,0]"), 4), "'a.data_offsets' is outside the file's 4 bytes of data"},
      {file(entry("F32", "[2]", "[0,4]"), 4), "'a.data_offsets' spans 4 bytes where the shape takes 8"},
      {file(entry("F32", "[1]", "[4,8]"), 8), "the tensor 'a' begins after a gap"},
      {file(entry("F32", "[1]", "[0,4]"), 5), "1 bytes behind the last tensor belong to none"},
      {file(
           R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}})",
           3),
       "the tensor 'b' begins inside the one before it"},
  };
  for (const auto &[bytes, sentence] : cases) {
    folder.write("model.safetensors", bytes);
    EXPECT_EQ(refusal(folder.path), "/model.safetensors: " + sentence);
  }
}

TEST(BrokenFolder, ShardIndex) {
  Folder folder;
  decode::writeFolder(golden("qwen2"), folder.path, 3);
  ASSERT_EQ(refusal(folder.path), "");
  const std::string name = "model.safetensors.index.json";
  Json index = Json::parse(folder.read(name));
  breakEverywhere(index, [&](const Json &broken, const std::string &what) {
    folder.write(name, broken.dump());
    std::string said = refusal(folder.path);
    // A tensor that its shard holds need not be listed.
    EXPECT_EQ(said.empty(), what.ends_with("removed") && what != "/weight_map removed") << what << said;
  });
  index["weight_map"]["lm_head.weight"] = "../model-1.safetensors";
  folder.write(name, index.dump());
  EXPECT_EQ(refusal(folder.path),
            "/" + name + ": '../model-1.safetensors' is not the name of a safetensors file in the folder");
}

TEST(BrokenFolder, TokenizerJson) {
  Json goldens = Json::parse(std::ifstream("tests/model/data/vocabulary_golden.json"));
  Folder folder;
  int all = 0, refused = 0;
  for (const Json &kind : goldens["json"]) {
    if (kind["kind"] == "gpt2" || kind["kind"] == "qwen2")
      continue; // their parts are the others' too
    Json small = kind["tokenizer"];
    // The lists' ends are like their middles.
    Json &merges = small["model"]["merges"];
    merges.erase(merges.begin() + 5, merges.end());
    breakEverywhere(small, [&](const Json &broken, const std::string &what) {
      SCOPED_TRACE(kind["kind"].get<std::string>() + what);
      folder.write("tokenizer.json", broken.dump());
      Result<Tokenizer> tokenizer = Tokenizer::fromJson(folder.path, {}, 700);
      ++all;
      if (!tokenizer) {
        ++refused;
        checkSentence(tokenizer.error(), folder.path);
        return;
      }
      Result<std::vector<int32_t>> tokens = tokenizer->encode("The <|end|> 12 st\u00f6nes.\n");
      if (tokens)
        EXPECT_TRUE(std::ranges::all_of(*tokens, [](int32_t token) { return token >= 0 && token < 700; }));
    });
  }
  EXPECT_GT(all, 1500);
  EXPECT_GT(refused, all / 2);
}

TEST(BrokenFolder, FlippedBytesNeverCrash) {
  Folder folder;
  decode::writeFolder(golden("gemma3"), folder.path, 2);
  std::mt19937 random(11);
  int refused = 0;
  for (const char *name : {"config.json", "model.safetensors.index.json", "model-1.safetensors"}) {
    const std::string whole = folder.read(name);
    size_t header = std::min<size_t>(whole.size(), 6000);
    for (int round = 0; round < 200; ++round) {
      std::string bytes = whole;
      for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
        bytes[random() % header] = char(random() % 3 == 0 ? 0xFF : random());
      folder.write(name, bytes);
      refused += refusal(folder.path) != "";
    }
    folder.write(name, whole);
  }
  EXPECT_GT(refused, 200);
}

} // namespace
} // namespace tessera::model

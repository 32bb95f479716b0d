#include "runtime/model/gguf.h"
#include "tests/model/raw_gguf.h"
#include <array>

namespace tessera::model {
namespace {

// One key of each type, and two tensors.
RawGguf sample() {
  RawGguf file;
  file.header(2, 13);
  file.key("u8", 0).put<uint8_t>(200).key("i8", 1).put<int8_t>(-3).key("u16", 2).put<uint16_t>(65535);
  file.key("i16", 3).put<int16_t>(-300).key("u32", 4).put(~0u).key("i32", 5).put<int32_t>(-70000);
  file.key("f32", 6).put(0.5f).key("true", 7).put<uint8_t>(1).key("text", 8).text("déjà");
  file.key("words", 9).put<uint32_t>(8).put<uint64_t>(3).text("one").text("").text("three");
  file.key("u64", 10).put(~uint64_t(0)).key("i64", 11).put<int64_t>(-1).key("f64", 12).put(0.1);
  file.tensor("matrix", {64, 3}, 3, 0).tensor("vector", {5}, 0, 128);
  return file.data(128 + 20);
}

template <class T> std::string errorOf(Result<T> result) { return result ? "no error" : result.error().message; }

TEST(Gguf, ReadsEveryType) {
  TemporaryFile raw(sample().bytes);
  Gguf file = Gguf::open(raw.path).value();
  EXPECT_EQ(file.get<int64_t>("u8").value(), 200);
  EXPECT_EQ(file.get<int64_t>("i8").value(), -3);
  EXPECT_EQ(file.get<int64_t>("u16").value(), 65535);
  EXPECT_EQ(file.get<int64_t>("i16").value(), -300);
  EXPECT_EQ(file.get<int64_t>("u32").value(), 4294967295);
  EXPECT_EQ(file.get<int64_t>("i32").value(), -70000);
  EXPECT_EQ(file.get<int64_t>("i64").value(), -1);
  EXPECT_EQ(file.get<double>("f32").value(), 0.5);
  EXPECT_EQ(file.get<double>("f64").value(), 0.1);
  EXPECT_TRUE(file.get<bool>("true").value());
  EXPECT_EQ(file.get<std::string_view>("text").value(), "déjà");
  EXPECT_EQ(file.get<std::vector<std::string_view>>("words").value(),
            (std::vector<std::string_view>{"one", "", "three"}));
}

TEST(Gguf, GettersNameTheKey) {
  TemporaryFile raw(sample().bytes);
  Gguf file = Gguf::open(raw.path).value();
  EXPECT_EQ(errorOf(file.get<int64_t>("none")), raw.path + ": the metadata key 'none' is missing");
  EXPECT_EQ(errorOf(file.get<int64_t>("text")),
            raw.path + ": the metadata key 'text' is not an integer of at most 63 bits");
  EXPECT_EQ(errorOf(file.get<int64_t>("u64")),
            raw.path + ": the metadata key 'u64' is not an integer of at most 63 bits");
  EXPECT_EQ(errorOf(file.get<double>("u8")), raw.path + ": the metadata key 'u8' is not a float");
  EXPECT_EQ(errorOf(file.get<bool>("u8")), raw.path + ": the metadata key 'u8' is not a boolean");
  EXPECT_EQ(errorOf(file.get<std::string_view>("words")), raw.path + ": the metadata key 'words' is not a string");
  EXPECT_EQ(errorOf(file.get<std::vector<int64_t>>("words")),
            raw.path + ": the metadata key 'words' is not an array of integers of at most 63 bits");
  EXPECT_EQ(errorOf(file.getOr<bool>("u8", true)), raw.path + ": the metadata key 'u8' is not a boolean");
  EXPECT_EQ(file.getOr<int64_t>("none", 7).value(), 7);
}

TEST(Gguf, FindsTensors) {
  TemporaryFile raw(sample().bytes);
  Gguf file = Gguf::open(raw.path).value();
  ASSERT_EQ(file.tensors().size(), 2u);
  const GgufTensor *matrix = file.find("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->shape, (std::vector<int64_t>{3, 64})); // row-major
  EXPECT_EQ(matrix->type->name, "Q4_1");
  EXPECT_EQ(matrix->bytes.size(), 3 * 2 * 20u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix->bytes.data()) % 32, 0u);
  EXPECT_EQ(file.find("matri"), nullptr);
  EXPECT_TRUE(file.named().require("vector", std::array<int64_t, 1>{5}));
  EXPECT_EQ(errorOf(file.named().require("vector", std::array<int64_t, 1>{6})),
            raw.path + ": the tensor 'vector' has the shape [5] where the model's metadata asks for [6]");
  EXPECT_EQ(errorOf(file.named().require("other", std::array<int64_t, 1>{6})),
            raw.path + ": the tensor 'other' is missing");
}

TEST(Gguf, CopiesOutliveTheOriginal) {
  TemporaryFile raw(sample().bytes);
  std::optional<Gguf> first = Gguf::open(raw.path).value();
  Gguf second = *first;
  std::string_view text = first->get<std::string_view>("text").value();
  first.reset();
  EXPECT_EQ(text, "déjà");
  EXPECT_EQ(second.find("vector")->bytes.size(), 20u);
}

} // namespace
} // namespace tessera::model

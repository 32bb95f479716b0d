#include "runtime/model/gguf.h"
#include "tests/model/raw_gguf.h"

namespace tessera::model {
namespace {

constexpr uint32_t u8 = 0, u32 = 4, boolean = 7, string = 8, array = 9, u64 = 10;
constexpr uint32_t F32 = 0, Q4_1 = 3;
constexpr uint64_t huge = ~uint64_t(0);

struct Case {
  std::string name;
  RawGguf file;
  std::string message; // after "<path>: "
};

std::vector<Case> headers() {
  return {
      {"wrong magic", {"GGML\3\0\0\0"}, "not a GGUF file: it does not start with the magic 'GGUF'"},
      {"three bytes", {"GGU"}, "not a GGUF file: it does not start with the magic 'GGUF'"},
      {"magic alone", {"GGUF"}, "the file is truncated: it ends after 4 bytes, inside the version"},
      {"half a version",
       {std::string("GGUF\3\0", 6)},
       "the file is truncated: it ends after 6 bytes, inside the version"},
      {"version 1", RawGguf().header(0, 0, 1), "GGUF version 1 is not supported, only version 3"},
      {"version 2", RawGguf().header(0, 0, 2), "GGUF version 2 is not supported, only version 3"},
      {"version 4", RawGguf().header(0, 0, 4), "GGUF version 4 is not supported, only version 3"},
      {"version 0", RawGguf().header(0, 0, 0), "the file is a big-endian GGUF, which is not supported"},
      {"big endian", RawGguf().header(0, 0, 0x03000000), "the file is a big-endian GGUF, which is not supported"},
      {"no counts",
       {std::string("GGUF\3\0\0\0", 8)},
       "the file is truncated: it ends after 8 bytes, inside the tensor count"},
      {"one count",
       {std::string("GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16)},
       "the file is truncated: it ends after 16 bytes, inside the metadata count"},
      {"tensors without bytes", RawGguf().header(1, 0), "the header claims 1 tensors, more than the file can hold"},
      {"all tensors", RawGguf().header(huge, 0),
       "the header claims 18446744073709551615 tensors, more than the file can hold"},
      {"keys without bytes", RawGguf().header(0, 1), "the header claims 1 metadata keys, more than the file can hold"},
      {"all keys", RawGguf().header(0, huge),
       "the header claims 18446744073709551615 metadata keys, more than the file can hold"},
      {"a billion keys", RawGguf().header(0, 1'000'000'000).data(200),
       "the header claims 1000000000 metadata keys, more than the file can hold"},
  };
}

std::vector<Case> metadata() {
  auto file = [](uint64_t entries) { return RawGguf().header(0, entries); };
  return {
      {"key longer than the file", file(1).put<uint64_t>(4000).put<uint64_t>(0),
       "metadata key 1 of 1 claims 4000 bytes where the file has 8 left"},
      {"key of any length", file(1).put(huge).put<uint64_t>(0),
       "metadata key 1 of 1 has a length of 18446744073709551615 bytes, over the limit of 65535"},
      {"empty key", file(1).key("", u32).put<uint32_t>(1).put<uint32_t>(0), "metadata key 1 of 1 has an empty name"},
      {"unknown type", file(1).key("a", 13).put<uint64_t>(0), "the metadata key 'a' has the unknown type 13"},
      {"type -1", file(1).key("a", ~0u).put<uint64_t>(0), "the metadata key 'a' has the unknown type 4294967295"},
      {"half a number", file(1).key("ab", u64).put<uint32_t>(0),
       "the metadata key 'ab' claims 1 elements, more than the file can hold"},
      {"no type", file(1).text("abcdef"),
       "the file is truncated: it ends after 38 bytes, inside the metadata key 'abcdef'"},
      {"string longer than the file", file(1).key("a", string).put<uint64_t>(9).put<uint64_t>(0),
       "the metadata key 'a' claims 9 bytes where the file has 8 left"},
      {"string of any length", file(1).key("a", string).put(huge).put<uint64_t>(0),
       "the metadata key 'a' claims 18446744073709551615 bytes where the file has 8 left"},
      {"boolean 2", file(1).key("ab", boolean).put<uint8_t>(2),
       "the metadata key 'ab' holds a boolean that is neither 0 nor 1"},
      {"array of any count", file(1).key("a", array).put(u8).put(huge),
       "the metadata key 'a' claims 18446744073709551615 elements, more than the file can hold"},
      {"array whose bytes overflow", file(1).key("a", array).put(u64).put(uint64_t(1) << 61),
       "the metadata key 'a' claims 2305843009213693952 elements, more than the file can hold"},
      {"array one element too long", file(1).key("a", array).put(u32).put<uint64_t>(3).put<uint64_t>(0),
       "the metadata key 'a' claims 3 elements, more than the file can hold"},
      {"array of strings too many", file(1).key("a", array).put(string).put<uint64_t>(1000).put<uint64_t>(0),
       "the metadata key 'a' claims 1000 elements, more than the file can hold"},
      {"array of unknown type", file(1).key("a", array).put<uint32_t>(77).put<uint64_t>(0),
       "the metadata key 'a' is an array of the unknown type 77"},
      {"string in an array too long", file(1).key("a", array).put(string).put<uint64_t>(1).put<uint64_t>(5).put(u32),
       "the metadata key 'a' claims 5 bytes where the file has 4 left"},
      {"boolean in an array", file(1).key("a", array).put(boolean).put<uint64_t>(3).put<uint16_t>(1).put<uint8_t>(255),
       "the metadata key 'a' holds a boolean that is neither 0 nor 1"},
      {"arrays five deep",
       [&] {
         RawGguf deep = file(1).key("a", array);
         for (int i = 0; i < 4; ++i)
           deep.put(array).put<uint64_t>(1);
         return deep.put(u8).put<uint64_t>(0);
       }(),
       "the metadata key 'a' nests arrays deeper than 4"},
      {"arrays in arrays too many", file(1).key("a", array).put(array).put<uint64_t>(99).put(u8).put<uint64_t>(0),
       "the metadata key 'a' claims 99 elements, more than the file can hold"},
      {"the same key twice", file(2).key("same", u32).put<uint32_t>(1).key("same", u32).put<uint32_t>(1),
       "the metadata key 'same' appears twice"},
      {"alignment 0", file(1).key("general.alignment", u32).put<uint32_t>(0),
       "general.alignment is 0, not a power of two of at least 8"},
      {"alignment 48", file(1).key("general.alignment", u32).put<uint32_t>(48),
       "general.alignment is 48, not a power of two of at least 8"},
      {"alignment 4", file(1).key("general.alignment", u32).put<uint32_t>(4),
       "general.alignment is 4, not a power of two of at least 8"},
      {"alignment as text", file(1).key("general.alignment", string).text("32"),
       "the metadata key 'general.alignment' is not a 32-bit unsigned integer"},
      {"a key that would break a terminal", file(1).key("\x1b[2J\n", 99).put<uint64_t>(0),
       "the metadata key '\\x1b[2J\\x0a' has the unknown type 99"},
  };
}

std::vector<Case> tensors() {
  auto file = [](uint64_t count) { return RawGguf().header(count, 0); };
  uint64_t big = uint64_t(1) << 62;
  return {
      {"name over 64", file(1).tensor(std::string(65, 'n'), {4}, F32, 0).data(16),
       "tensor 1 of 1's name has a length of 65 bytes, over the limit of 64"},
      {"name of any length", file(1).put(huge).data(64),
       "tensor 1 of 1's name has a length of 18446744073709551615 bytes, over the limit of 64"},
      {"name longer than the file", file(1).put<uint64_t>(60).data(30, 1),
       "tensor 1 of 1's name claims 60 bytes where the file has 30 left"},
      {"empty name", file(1).tensor("", {4}, F32, 0).data(16), "tensor 1 of 1 has an empty name"},
      {"rank 0", file(1).tensor("t", {}, F32, 0).data(16), "tensor 't' has 0 dimensions, not 1 to 4"},
      {"rank 5", file(1).tensor("t", {1, 1, 1, 1, 1}, F32, 0).data(16), "tensor 't' has 5 dimensions, not 1 to 4"},
      {"rank of any size", file(1).text("t").put(~0u).data(64), "tensor 't' has 4294967295 dimensions, not 1 to 4"},
      {"extent 0", file(1).tensor("t", {4, 0}, F32, 0).data(16), "tensor 't' has an extent of 0"},
      {"extent 2^63", file(1).tensor("t", {uint64_t(1) << 63}, F32, 0).data(16),
       "tensor 't' has more elements than 64 bits can count"},
      {"elements overflow", file(1).tensor("t", {big, 4}, F32, 0).data(16),
       "tensor 't' has more elements than 64 bits can count"},
      {"elements wrap to 0", file(1).tensor("t", {uint64_t(1) << 32, uint64_t(1) << 32}, F32, 0).data(16),
       "tensor 't' has more elements than 64 bits can count"},
      {"bytes overflow", file(1).tensor("t", {big}, F32, 0).data(16),
       "tensor 't' has more bytes than 64 bits can count"},
      {"unknown type", file(1).tensor("t", {32}, 99, 0).data(128), "tensor 't' has the unknown type 99"},
      {"removed type", file(1).tensor("t", {32}, 4, 0).data(128), "tensor 't' has the unknown type 4"},
      {"row of half a block", file(1).tensor("t", {16, 2}, Q4_1, 0).data(20),
       "tensor 't' has rows of 16 values, not a multiple of Q4_1's block of 32"},
      {"offset off alignment", file(1).tensor("t", {4}, F32, 4).data(20),
       "tensor 't' starts at offset 4, not a multiple of the alignment 32"},
      {"offset past the end", file(1).tensor("t", {4}, F32, 64).data(16),
       "tensor 't' needs 16 bytes at offset 64 of the tensor data, but the file is truncated: it holds only 16"},
      {"offset of any size", file(1).tensor("t", {4}, F32, huge - 31).data(16),
       "tensor 't' needs 16 bytes at offset 18446744073709551584 of the tensor data, but the file is truncated: it "
       "holds "
       "only 16"},
      {"one byte short", file(1).tensor("t", {4}, F32, 0).data(15),
       "tensor 't' needs 16 bytes at offset 0 of the tensor data, but the file is truncated: it holds only 15"},
      {"a block short", file(1).tensor("t", {64}, Q4_1, 0).data(20),
       "tensor 't' needs 40 bytes at offset 0 of the tensor data, but the file is truncated: it holds only 20"},
      {"no data at all", file(1).tensor("tt", {4}, F32, 0),
       "the file is truncated: it ends after 58 bytes, inside the padding before the tensor data"},
      {"overlap", file(2).tensor("t", {16}, F32, 0).tensor("u", {4}, F32, 32).data(64), "tensors 't' and 'u' overlap"},
      {"the same place", file(2).tensor("t", {4}, F32, 0).tensor("u", {4}, F32, 0).data(16),
       "tensors 't' and 'u' overlap"},
      {"the same name", file(2).tensor("t", {4}, F32, 0).tensor("t", {4}, F32, 32).data(64),
       "tensor 't' appears twice"},
      {"second tensor missing", file(2).tensor("some.tensor.weight", {4, 4, 4}, F32, 0).put<uint32_t>(0),
       "the file is truncated: it ends after 94 bytes, inside tensor 2 of 2's name"},
  };
}

void check(const std::vector<Case> &cases) {
  TemporaryFile file("");
  for (const Case &item : cases) {
    file.write(item.file.bytes);
    Result<Gguf> opened = Gguf::open(file.path);
    ASSERT_FALSE(opened) << item.name;
    EXPECT_EQ(opened.error().message, file.path + ": " + item.message) << item.name;
    EXPECT_NE(opened.error().blame, Blame::internal) << item.name;
  }
}

TEST(GgufMalformed, Header) { check(headers()); }
TEST(GgufMalformed, Metadata) { check(metadata()); }
TEST(GgufMalformed, Tensors) { check(tensors()); }

std::string openError(const std::string &path) {
  Result<Gguf> opened = Gguf::open(path);
  return opened ? "opened" : opened.error().message;
}

TEST(GgufMalformed, NotAFile) {
  TemporaryFile empty("");
  EXPECT_EQ(openError(empty.path), empty.path + ": the file is empty");
  EXPECT_EQ(openError("/no/such/model.gguf"), "/no/such/model.gguf: cannot be opened: No such file or directory");
  EXPECT_EQ(openError("/tmp"), "/tmp: is a directory, not a file");
  EXPECT_EQ(openError("/dev/null"), "/dev/null: is not a regular file");
  EXPECT_EQ(openError(""), ": cannot be opened: No such file or directory");
}

} // namespace
} // namespace tessera::model

#include "runtime/model/family.h"
#include <algorithm>

namespace tessera::model {

std::span<const Family> families() {
  static const std::vector<Family> rows = {
      {.name = "llama", .huggingFace = {"llama", "mistral"}, .pairedRope = true},
      {.name = "qwen2", .huggingFace = {"qwen2"}},
      {.name = "qwen3", .huggingFace = {"qwen3"}, .norms = {.heads = true}},
      {.name = "gemma2",
       .huggingFace = {"gemma2"},
       .gate = Gate::geluTanh,
       .scaledEmbedding = true,
       .norms = {.post = true, .onePlus = true},
       .windows = {.fullEvery = 2}},
      {.name = "gemma3",
       .huggingFace = {"gemma3_text"},
       .gate = Gate::geluTanh,
       .scaledEmbedding = true,
       .norms = {.heads = true, .post = true, .onePlus = true},
       .windows = {.fullEvery = 6, .ropeBase = 10000}},
      {.name = "phi3", .huggingFace = {"phi3"}},
  };
  return rows;
}

const Family *familyByArchitecture(std::string_view name) {
  auto rows = families();
  auto at = std::ranges::find(rows, name, &Family::name);
  return at == rows.end() ? nullptr : &*at;
}

const Family *familyByModelType(std::string_view name) {
  for (const Family &row : families())
    if (std::ranges::find(row.huggingFace, name) != row.huggingFace.end())
      return &row;
  return nullptr;
}

static void append(std::string &list, std::string_view name) { list.append(list.empty() ? "" : ", ").append(name); }

std::string familyNames() {
  std::string list;
  for (const Family &row : families())
    append(list, row.name);
  return list;
}

std::string modelTypeNames() {
  std::string list;
  for (const Family &row : families())
    for (std::string_view name : row.huggingFace)
      append(list, name);
  return list;
}

} // namespace tessera::model

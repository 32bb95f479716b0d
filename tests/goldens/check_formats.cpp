// check_formats: the demo model in every weight format against llama.cpp on the same files (make_formats.py,
// make_format_goldens.py).
//
// Usage: check_formats GOLDENS FOLDER CHUNKS [RESULT.json], over the first CHUNKS chunks of the text beside GOLDENS (0:
// all). Formats whose file is not in FOLDER are left out; exit status 77, which CTest reports as skipped, where none
// is. It fails unless for every format
// - the perplexity is within 0.5 % of llama.cpp's, give or take two standard errors of the mean difference token by
// token
//   (both sides quantize activations, each in its own way, so losses differ both ways);
// - the losses lie no further from an exact model's (exact_model.py: no activation rounded), root mean square over the
//   chunks that it was run on, than llama.cpp's do, give or take a tenth;
// - for float weights the best token is llama.cpp's wherever that leads by 0.5 nat. For quantized ones the share of
// equal
//   best tokens is a figure: what both sides round away moves it.
#include "runtime/decode/perplexity.h"
#include "runtime/model/mapped_file.h"
#include "runtime/model/model_file.h"
#include "tests/goldens/thinned.h"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tessera {
namespace {

using Json = nlohmann::json;

constexpr double perplexityBar = 0.005, nearTie = 0.5, noiseBar = 1.1;
constexpr double storedAs = 0.004; // nat: half a step of f16 for losses up to 8, in which the goldens hold them

// Of the mean difference of two lists of losses, which is the logarithm of the ratio of two perplexities.
double standardError(const std::vector<double> &ours, const std::vector<double> &theirs) {
  double sum = 0, squares = 0, count = double(std::min(ours.size(), theirs.size()));
  for (size_t i = 0; i < size_t(count); ++i) {
    double apart = ours[i] - theirs[i];
    sum += apart, squares += apart * apart;
  }
  return std::sqrt((squares / count - sum / count * sum / count) / count);
}

double distance(const std::vector<double> &a, const std::vector<double> &b) {
  double squares = 0;
  size_t count = std::min(a.size(), b.size());
  for (size_t i = 0; i < count; ++i)
    squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares / double(count));
}

double perplexityOf(std::span<const double> losses) {
  double sum = 0;
  for (double loss : losses)
    sum += loss;
  return std::exp(sum / double(losses.size()));
}

struct Text {
  std::string words;
  int64_t context, chunks; // tokens a chunk; how many of them, 0 for all
};

Result<Json> checkFormat(const Json &golden, const std::string &path, const Text &text) {
  auto file = TESSERA_TRY(model::ModelFile::open(path));
  std::vector<int32_t> tokens = TESSERA_TRY(TESSERA_TRY(file.tokenizer()).encode(text.words));
  if (text.chunks)
    tokens.resize(std::min(tokens.size(), size_t(text.chunks * text.context)));
  decode::Model model = TESSERA_TRY(decode::Model::load(path));
  decode::Perplexity ours = TESSERA_TRY(decode::perplexity(model, tokens, text.context));
  std::vector<double> theirs = decodeHalfs(golden["losses"]), exact = decodeHalfs(golden["exact_losses"]);
  if (theirs.size() < ours.losses.size() || (!text.chunks && theirs.size() != ours.losses.size()))
    return invalidArgument("the goldens of " + path + " score other tokens than its tokenizer gives");
  theirs.resize(ours.losses.size());
  double apart = perplexityOf(ours.losses) / perplexityOf(theirs) - 1, error = standardError(ours.losses, theirs);
  double noise = distance(ours.losses, exact), theirNoise = distance(theirs, exact);

  std::vector<float> rows = TESSERA_TRY(model.logits(std::span(tokens).first(size_t(text.context))));
  size_t vocab = size_t(model.config().vocab);
  int same = 0, wide = 0;
  for (size_t at = 0; at < size_t(text.context); ++at) {
    auto row = std::span(rows).subspan(at * vocab, vocab);
    bool equal = std::ranges::max_element(row) - row.begin() == golden["top"][at].get<int64_t>();
    same += equal;
    wide += !equal && golden["leads"][at].get<double>() >= nearTie;
  }
  bool isFloat = !isQuantized(*file.tensors().find("blk.0.attn_q.weight")->type->dtype);
  bool holds = std::abs(apart) <= perplexityBar + 2 * error && noise <= noiseBar * theirNoise + storedAs &&
               (wide == 0 || !isFloat);
  return Json{{"holds", holds},
              {"scored", ours.scored},
              {"perplexity", ours.value},
              {"llama_cpp_perplexity", perplexityOf(theirs)},
              {"percent_apart", 100 * apart},
              {"percent_standard_error", 100 * error},
              {"loss_from_exact", noise},
              {"llama_cpp_loss_from_exact", theirNoise},
              {"same_best_token", double(same) / double(text.context)},
              {"differences_at_wide_leads", wide}};
}

// 0 all hold, 1 some do not, 77 no file is there.
Result<int> check(const std::filesystem::path &goldensPath, const std::filesystem::path &folder, int64_t chunks,
                  const char *result) {
  Json goldens = Json::parse(std::ifstream(goldensPath)), rows;
  auto text = TESSERA_TRY(model::MappedFile::open(goldensPath.parent_path() / goldens["text"].get<std::string>()));
  Text words{{reinterpret_cast<const char *>(text->bytes().data()), text->bytes().size()}, goldens["context"], chunks};
  std::string name = goldens["model"];
  bool all = true;
  for (const auto &[format, golden] : goldens["formats"].items()) {
    std::string file = name;
    file.replace(file.find("Q4_1"), 4, format);
    if (!std::filesystem::exists(folder / file))
      continue;
    rows[format] = TESSERA_TRY(checkFormat(golden, folder / file, words));
    all = all && rows[format]["holds"].get<bool>();
    std::printf("%-7s %s\n", format.c_str(), rows[format].dump().c_str());
    std::fflush(stdout);
  }
  if (rows.is_null())
    return 77;
  if (result)
    std::ofstream(result) << Json{{"made_with", goldens["made_with"]}, {"model", name}, {"formats", rows}}.dump(2)
                          << "\n";
  return all ? 0 : 1;
}

} // namespace
} // namespace tessera

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: check_formats GOLDENS FOLDER CHUNKS [RESULT.json]\n");
    return 2;
  }
  auto status = tessera::check(argv[1], argv[2], std::atoll(argv[3]), argc > 4 ? argv[4] : nullptr);
  if (!status) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  if (*status == 77)
    std::printf("skipped: %s holds no model file of the goldens\n", argv[2]);
  return *status;
}

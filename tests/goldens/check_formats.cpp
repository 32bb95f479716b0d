// check_formats: the demo model in every weight format against llama.cpp on the same files (make_formats.py,
// make_format_goldens.py).
//
// Usage: check_formats GOLDENS FOLDER [RESULT.json]. Formats whose file is not in FOLDER are left out; exit status 77,
// which CTest reports as skipped, where none is. It fails unless for every format
// - the perplexity over the text beside GOLDENS is within 0.5 % of llama.cpp's, give or take two standard errors of the
//   mean difference token by token (both sides quantize activations, each in its own way, so losses differ both ways);
// - the mean cosine of the logits with llama.cpp's, along that text, exceeds 0.998, and 0.999 for float weights;
// - for float weights the best token is llama.cpp's wherever that leads by 0.5 nat. For quantized ones the share of
// equal
//   best tokens is a figure: 0.2 % of noise in the logits moves it, on either side.
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

constexpr double perplexityBar = 0.005, nearTie = 0.5;

// Of the mean difference of two lists of losses, which is the logarithm of the ratio of two perplexities.
double standardError(const std::vector<double> &ours, const std::vector<double> &theirs) {
  double sum = 0, squares = 0, count = double(std::min(ours.size(), theirs.size()));
  for (size_t i = 0; i < size_t(count); ++i) {
    double apart = ours[i] - theirs[i];
    sum += apart, squares += apart * apart;
  }
  return std::sqrt((squares / count - sum / count * sum / count) / count);
}

Result<Json> checkFormat(const Json &goldens, const Json &golden, const std::string &path, const std::string &text) {
  auto file = TESSERA_TRY(model::ModelFile::open(path));
  std::vector<int32_t> tokens = TESSERA_TRY(TESSERA_TRY(file.tokenizer()).encode(text));
  decode::Model model = TESSERA_TRY(decode::Model::load(path));
  int64_t context = goldens["context"];
  decode::Perplexity ours = TESSERA_TRY(decode::perplexity(model, tokens, context));
  double theirs = golden["perplexity"], difference = ours.value / theirs - 1;

  std::vector<float> rows = TESSERA_TRY(model.logits(std::span(tokens).first(size_t(context))));
  size_t vocab = size_t(model.config().vocab), stride = goldens["logit_stride"], step = goldens["logit_step"];
  std::vector<double> logits = decodeHalfs(golden["logits"]);
  size_t width = (vocab + stride - 1) / stride, samples = logits.size() / width;
  double cosines = 0;
  for (size_t i = 0; i < samples; ++i)
    cosines += cosine(std::span(rows).subspan(((i + 1) * step - 1) * vocab, vocab), stride,
                      std::span(logits).subspan(i * width, width));
  int same = 0, wide = 0;
  for (size_t at = 0; at < size_t(context); ++at) {
    auto row = std::span(rows).subspan(at * vocab, vocab);
    bool equal = std::ranges::max_element(row) - row.begin() == golden["top"][at].get<int64_t>();
    same += equal;
    wide += !equal && golden["leads"][at].get<double>() >= nearTie;
  }
  double error = standardError(ours.losses, decodeHalfs(golden["losses"]));
  bool isFloat = !isQuantized(*file.tensors().find("blk.0.attn_q.weight")->type->dtype);
  bool holds = std::abs(difference) <= perplexityBar + 2 * error && ours.scored == golden["scored"].get<int64_t>() &&
               cosines > (isFloat ? 0.999 : 0.998) * double(samples) && (wide == 0 || !isFloat);
  return Json{{"holds", holds},
              {"perplexity", ours.value},
              {"llama_cpp_perplexity", theirs},
              {"percent_apart", 100 * difference},
              {"percent_standard_error", 100 * error},
              {"mean_cosine", cosines / double(samples)},
              {"same_best_token", double(same) / double(context)},
              {"differences_at_wide_leads", wide}};
}

// 0 all hold, 1 some do not, 77 no file is there.
Result<int> check(const std::filesystem::path &goldensPath, const std::filesystem::path &folder, const char *result) {
  Json goldens = Json::parse(std::ifstream(goldensPath)), rows;
  auto text = TESSERA_TRY(model::MappedFile::open(goldensPath.parent_path() / goldens["text"].get<std::string>()));
  std::string words(reinterpret_cast<const char *>(text->bytes().data()), text->bytes().size());
  std::string name = goldens["model"];
  bool all = true;
  for (const auto &[format, golden] : goldens["formats"].items()) {
    std::string file = name;
    file.replace(file.find("Q4_1"), 4, format);
    if (!std::filesystem::exists(folder / file))
      continue;
    rows[format] = TESSERA_TRY(checkFormat(goldens, golden, folder / file, words));
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
  if (argc < 3) {
    std::fprintf(stderr, "usage: check_formats GOLDENS FOLDER [RESULT.json]\n");
    return 2;
  }
  auto status = tessera::check(argv[1], argv[2], argc > 3 ? argv[3] : nullptr);
  if (!status) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  if (*status == 77)
    std::printf("skipped: %s holds no model file of the goldens\n", argv[2]);
  return *status;
}

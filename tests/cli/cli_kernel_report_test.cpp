// What run-kernel tells: the report for people and machines, the trace, who counted the registers, options of the
// virtual GPU.
#include "tests/cli/process.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace tessera::test {
namespace {

using nlohmann::json;
const std::string liveness = "TESSERA_VGPU_REGISTERS=liveness";
const std::string basics = "tests/vgpu/kernels/basics.sm_75.ptx";

std::vector<std::string> transpose(const std::string &kernel, const std::vector<std::string> &more = {}) {
  std::vector<std::string> words = {
      "run-kernel", basics,  "--kernel",          kernel,  "--device",       "virtual:t4", "--grid", "16,16", "--block",
      "32,8",       "--arg", "f32[512x512]=iota", "--arg", "f32[512x512]=0", "--arg",      "i32=512"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string textOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(KernelReport, SaysWhatLimitsAndWhichLinesCost) {
  const std::string text = run(transpose("transposeConflicts"), {liveness}).out;
  for (const char *part :
       {"transposeConflicts on virtual:t4: ", " us modelled, bound by ",
        "256 blocks of 256 threads, 20 registers (liveness)", "(threads run out first)", "4.0 sectors a request",
        "16.50 for each that would do", "Why:\n  Bound by ", "Shared memory: bank conflicts cost 16.5 passes for one",
        "kernels/basics.cu:108", "32.0-way bank conflicts"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(run(transpose("transposePadded"), {liveness}).out.find("conflicts"), std::string::npos);
  EXPECT_EQ(run(transpose("transposePadded", {"--lines", "0"}), {liveness}).out.find("costliest"), std::string::npos);
}

TEST(KernelReport, JsonHasTheSameForMachines) {
  const json report = json::parse(run(transpose("transposeConflicts", {"--json"}), {liveness}).out);
  EXPECT_DOUBLE_EQ(report["counters"]["bank_conflict_degree"], 16.5);
  EXPECT_EQ(report["counters"]["registers_from"], "liveness");
  EXPECT_EQ(report["counters"]["dram_read_bytes"], 512 * 512 * 4);
  EXPECT_GT(report["model"]["terms_us"]["dram"].get<double>(), 0);
  EXPECT_FALSE(report["remarks"].empty());
  bool isBlamed = false;
  for (const json &line : report["source_lines"])
    isBlamed |= line["source"] == "kernels/basics.cu:108" && line["why"] == "32.0-way bank conflicts";
  EXPECT_TRUE(isBlamed) << report["source_lines"];
  bool found = false;
  for (const json &line : report["lines"])
    found |= line["text"].get<std::string>().find("ld.shared") != std::string::npos &&
             line["why"] == "32.0-way bank conflicts" && line["wavefronts"] == 32 * line["ideal_wavefronts"].get<int>();
  EXPECT_TRUE(found) << report["lines"];
  EXPECT_TRUE(report["stalls"].is_object());
}

TEST(KernelReport, DoesNotDependOnTheNumberOfWorkers) {
  const std::string one = run(transpose("transposePadded", {"--json"}), {liveness, "TESSERA_VGPU_THREADS=1"}).out;
  EXPECT_EQ(run(transpose("transposePadded", {"--json"}), {liveness, "TESSERA_VGPU_THREADS=3"}).out, one);
}

// A kernel's printf goes to standard output, except where that is for the one JSON object.
TEST(KernelReport, PrintfLeavesTheJsonAlone) {
  const std::vector<std::string> command = {"run-kernel", basics, "--kernel", "talks",
                                            "--block",    "32",   "--arg",    "i32=5"};
  const std::string said = "thread 0 of talks: 2.50\nthread 1 of talks: 2.50\n";
  EXPECT_TRUE(run(command).out.starts_with(said));
  auto asJson = command;
  asJson.push_back("--json");
  const Outcome outcome = run(asJson);
  EXPECT_EQ(outcome.err, said);
  EXPECT_EQ(json::parse(outcome.out)["kernel"], "talks");
}

TEST(KernelTrace, ShowsWavesWarpsAndWaits) {
  const std::string path = scratch() + "/trace.json";
  std::ofstream(path) << "an older file";
  const Outcome outcome = run(transpose("transposeConflicts", {"--trace", path, "--json"}), {liveness});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const double us = json::parse(outcome.out)["modelled_us"];
  const json trace = json::parse(textOf(path));
  EXPECT_EQ(trace["otherData"]["times"], "modelled, not measured");
  size_t blocks = 0, warps = 0;
  double end = 0;
  for (const json &event : trace["traceEvents"]) {
    if (event["ph"] != "X")
      continue;
    const std::string name = event["name"];
    blocks += name.starts_with("block ");
    warps += name == "runs";
    EXPECT_GE(event["dur"].get<double>(), 0);
    end = std::max(end, event["ts"].get<double>() + event["dur"].get<double>());
  }
  EXPECT_EQ(blocks, 256u);
  EXPECT_EQ(warps, 8u);
  EXPECT_NEAR(end, us, 1e-3 * us);
  for (const auto &entry : std::filesystem::directory_iterator(scratch()))
    EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << "left over: " << entry.path();
  // cp.async of the tensor-core GEMM shows up as waits; thousands of blocks end in one slice.
  const Outcome gemm = run({"run-kernel", "tests/vgpu/kernels/matrix.sm_80.ptx",
                            "--kernel",   "gemm2",
                            "--device",   "virtual:a100",
                            "--grid",     "1,80",
                            "--block",    "128",
                            "--shared",   "19456",
                            "--arg",      "bf16[5120x64]=1",
                            "--arg",      "bf16[64x64]=1",
                            "--arg",      "f32[5120x64]",
                            "--arg",      "i32=64",
                            "--arg",      "i32=64",
                            "--trace",    path},
                           {liveness});
  ASSERT_EQ(gemm.status, 0) << gemm.err;
  EXPECT_NE(textOf(path).find("waits for cp.async"), std::string::npos);
}

TEST(KernelTrace, ManyBlocksEndInOneSlice) {
  const std::string path = scratch() + "/many.json";
  ASSERT_EQ(run({"run-kernel", basics, "--kernel", "talks", "--grid", "6000", "--block", "1", "--arg", "i32=0",
                 "--json", "--trace", path},
                {liveness})
                .status,
            0);
  EXPECT_NE(textOf(path).find("\"blocks 4096 to 5999\""), std::string::npos);
}

TEST(KernelTrace, MistakesGetOneSentence) {
  Outcome outcome = run(transpose("transposePadded", {"--trace", "/nowhere/t.json"}));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "tessera: '/nowhere/t.json' cannot be written\n");
  outcome = run(transpose("transposePadded", {"--trace", scratch()}));
  EXPECT_EQ(outcome.err, "tessera: '" + scratch() + "' cannot be written\n");
  for (const std::string flag : {"--trace", "--schedule", "--tc-model"}) {
    outcome = run({"run-kernel", basics, "--kernel", "talks", "--device", "cuda:0", flag,
                   flag == "--tc-model" ? "truncate" : "x"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err, "tessera: " + flag + " is for virtual GPUs, and 'cuda:0' is none\n");
  }
  for (const std::string schedule : {"random", "random:", "random:x", "fifo"}) {
    outcome = run(transpose("transposePadded", {"--schedule", schedule}));
    EXPECT_EQ(outcome.err, "tessera: --schedule '" + schedule + "': want random:SEED, SEED a whole number\n");
  }
  EXPECT_EQ(run(transpose("transposePadded", {"--schedule", "random:7"})).status, 0);
  EXPECT_EQ(run(transpose("transposePadded", {"--tc-model", "guess"})).status, 2);
}

// 4096 * 4096 + 1 + 1 in one instruction: both ones are lost when each product is rounded for itself.
TEST(TensorModel, DecidesHowAnMmaSums) {
  const std::string path = scratch() + "/row.f16";
  {
    std::ofstream file(path, std::ios::binary);
    for (int row = 0; row < 16; ++row)
      file.write("\x00\x6c\x00\x3c\x00\x3c\0\0\0\0\0\0\0\0\0\0", 16); // 4096, 1, 1, 0, ...
  }
  std::filesystem::copy_file(path, path + "8");
  std::filesystem::resize_file(path + "8", 128);
  for (auto [model, want] : {std::pair{"ieee_fma", 16777216}, {"exact_then_round", 16777218}, {"truncate", 16777218}}) {
    const Outcome outcome = run({"run-kernel", "tests/vgpu/kernels/matrix.sm_75.ptx",
                                 "--kernel",   "mmaTuring",
                                 "--device",   "virtual:t4",
                                 "--block",    "32",
                                 "--arg",      "f16[16x8]=@" + path,
                                 "--arg",      "f16[8x8]=@" + path + "8",
                                 "--arg",      "f32[128]=0",
                                 "--arg",      "i32=8",
                                 "--out",      "2",
                                 "--json",     "--tc-model",
                                 model});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(json::parse(outcome.out)["outputs"][0]["values"][0], want) << model;
  }
}

// A ptxas of our own, first on PATH: the driver takes its word, keeps it, and goes on without it.
TEST(Registers, ComeFromPtxasWhereThereIsOne) {
  const std::string folder = scratch() + "/bin", calls = scratch() + "/calls", cache = scratch() + "/cache";
  std::filesystem::create_directories(folder);
  auto install = [&](const std::string &body) {
    std::ofstream(folder + "/ptxas") << "#!/bin/sh\n[ \"$1\" = --version ] && { echo fake 1; exit 0; }\necho called >> "
                                     << calls << "\n"
                                     << body;
    std::filesystem::permissions(folder + "/ptxas", std::filesystem::perms::owner_all);
  };
  auto counters = [&](const std::string &cacheFolder, const std::string &extra = "A=B") {
    return json::parse(run(transpose("transposePadded", {"--json"}),
                           {"PATH=" + folder + ":/usr/bin:/bin", "TESSERA_CACHE=" + cacheFolder, extra})
                           .out)["counters"];
  };
  install("echo \"ptxas info : Compiling entry function 'transposePadded' for 'sm_75'\"\n"
          "echo '    0 bytes stack frame, 36 bytes spill stores, 36 bytes spill loads'\necho 'ptxas info : Used 77 "
          "registers'\n");
  json c = counters(cache);
  EXPECT_EQ(c["registers"], 77);
  EXPECT_EQ(c["registers_from"], "ptxas");
  EXPECT_EQ(c["spill_bytes"], 36);
  EXPECT_EQ(c["blocks_per_sm"], 3) << "77 registers: 10 KiB a warp of 8";
  EXPECT_EQ(textOf(calls), "called\n");
  EXPECT_EQ(counters(cache), c);
  EXPECT_EQ(textOf(calls), "called\n") << "the second run asked the cache";
  EXPECT_EQ(counters(cache, liveness)["registers"], 20);
  install("echo 'ptxas fatal : no'\nexit 1\n");
  EXPECT_EQ(counters(cache + "2")["registers_from"], "liveness");
  EXPECT_EQ(textOf(calls), "called\ncalled\n");
}

} // namespace
} // namespace tessera::test

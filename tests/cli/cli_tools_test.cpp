// devices, make-model and compile, and what the parser refuses.
#include "tests/cli/process.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::test {
namespace {

using nlohmann::json;

// One JSON object, and nothing else, on standard output.
json object(const std::vector<std::string> &arguments) {
  Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find('\n'), outcome.out.size() - 1);
  return json::parse(outcome.out, nullptr, false);
}

void expectError(const std::vector<std::string> &arguments, int status, const std::string &sentence) {
  Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.err, "tessera: " + sentence + "\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(Usage, MistakesExitWithTwoAndPointToHelp) {
  expectError({}, 2, "A subcommand is required\nTry 'tessera --help'.");
  expectError({"frobnicate"}, 2, "unknown command 'frobnicate'\nTry 'tessera --help'.");
  expectError({"devices", "--frob"}, 2,
              "The following argument was not expected: --frob\nTry 'tessera devices --help'.");
  expectError({"make-model"}, 2, "--output is required\nTry 'tessera make-model --help'.");
  expectError({"make-model", "-o", "x", "--layers", "two"}, 2,
              "Could not convert: --layers = two\nTry 'tessera make-model --help'.");
  expectError({"compile"}, 2, "--op or --list-ops is required\nTry 'tessera compile --help'.");
  expectError({"compile", "--op", "gemm", "--emit", "ptx"}, 2,
              "--emit: ptx not in {tile,layout,llvm,asm,binary}\nTry 'tessera compile --help'.");
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  Outcome all = run({"--help"});
  EXPECT_EQ(all.status, 0);
  for (const char *command : {"devices", "generate", "compile", "make-model"}) {
    EXPECT_NE(all.out.find(command), std::string::npos);
    Outcome help = run({command, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find("tessera " + std::string(command) + " ", help.out.find("Example")), std::string::npos)
        << command;
    EXPECT_NE(help.out.find("--json"), std::string::npos) << command;
  }
  for (const char *what : {"op", "decode"}) {
    Outcome help = run({"bench", what, "--help"});
    EXPECT_NE(help.out.find("tessera bench " + std::string(what) + " -"), std::string::npos) << help.out;
  }
}

TEST(Devices, TheCpuComesFirst) {
  json list = object({"devices", "--json"})["devices"];
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0]["name"], "cpu");
  EXPECT_GT(list[0]["memory_bytes"].get<int64_t>(), 0);
  EXPECT_GT(list[0]["threads"].get<int>(), 0);
}

TEST(MakeModel, WritesAModelOnce) {
  std::string path = scratch() + "/tiny.gguf";
  json said = object({"make-model", "-o", path, "--json", "--quant", "Q8_0"});
  EXPECT_EQ(said["bytes"].get<uint64_t>(), std::filesystem::file_size(path));
  expectError({"make-model", "-o", path, "--quant", "Q3_K"}, 1,
              "the quantization 'Q3_K' is not supported; supported: Q4_1, Q4_0, Q8_0, F16");
  expectError({"make-model", "-o", path, "--arch", "gpt2"}, 1, "the architecture 'gpt2' is unknown; known: llama");
  expectError({"make-model", "-o", path, "--heads", "5", "--kv-heads", "2"}, 1,
              "--heads 5 is not a multiple of --kv-heads 2");
  expectError({"make-model", "-o", scratch() + "/none/x.gguf"}, 1,
              scratch() + "/none/x.gguf: cannot be written: No such file or directory");
}

TEST(Compile, ListsOps) {
  json ops = object({"compile", "--list-ops", "--json"})["ops"];
  ASSERT_GE(ops.size(), 11u);
  for (const json &op : ops) {
    EXPECT_FALSE(op["dtypes"].empty()) << op;
    EXPECT_FALSE(op["configs"].empty()) << op;
    EXPECT_FALSE(op["targets"].empty()) << op;
  }
}

TEST(Compile, ReportsAndEmits) {
  json said = object({"compile", "--op", "gemm", "--target", "cpu-avx2", "--config", "bm=4,bn=16", "--json"});
  EXPECT_EQ(said["op"], "gemm");
  EXPECT_EQ(said["target"], "cpu-avx2");
  EXPECT_EQ(said["config"].get<std::string>().substr(0, 10), "bm=4,bn=16");
  EXPECT_GT(said["binary_bytes"].get<int>(), 500);
  EXPECT_GT(said["registers"].get<int>(), 4);
  EXPECT_LE(said["registers"].get<int>(), 16);
  EXPECT_GT(said["instructions"]["fma"].get<int>(), 0);
  EXPECT_FALSE(said["stage_ms"].empty());

  EXPECT_NE(run({"compile", "--op", "gemm", "--emit", "tile"}).out.find("tile."), std::string::npos);
  EXPECT_NE(run({"compile", "--op", "gemm", "--emit", "llvm"}).out.find("define "), std::string::npos);
  EXPECT_NE(run({"compile", "--op", "gemm", "--emit", "asm"}).out.find("\tret"), std::string::npos);
  std::string path = scratch() + "/gemm.o";
  EXPECT_EQ(run({"compile", "--op", "gemm", "--emit", "binary", "-o", path}).status, 0);
  std::ifstream file(path, std::ios::binary);
  std::string magic(4, ' ');
  file.read(magic.data(), 4);
  EXPECT_EQ(magic, "\x7f"
                   "ELF");
  EXPECT_NE(run({"compile", "--op", "gemm", "--explain"}).err.find("vector registers used: "), std::string::npos);
}

TEST(Compile, RefusesWithOneSentence) {
  EXPECT_EQ(
      run({"compile", "--op", "gemm", "--target", "z80"}).err.rfind("tessera: unknown target 'z80': known are cpu,", 0),
      0u);
  EXPECT_EQ(run({"compile", "--op", "gem"}).err.substr(0, 42), "tessera: unknown op 'gem': known are gemm,");
  expectError({"compile", "--op", "gemm", "--config", "zz=1"}, 1, "config has no field 'zz': it has bm, bn, bk");
  expectError({"compile", "--op", "gemm", "--size", "M"}, 1, "--size 'M': want name=number");
  expectError({"compile", "--op", "gemm", "--dtype", "f12"}, 1, "unknown dtype 'f12'");
  expectError({"compile", "--op", "gemm", "-o", scratch() + "/none/gemm.o"}, 1,
              scratch() + "/none/gemm.o: cannot be written");
}

// A GPU's code is PTX for its architecture; no device is needed.
TEST(Compile, ForAGpu) {
  Outcome ptx = run({"compile", "--op", "gemm", "--dtype", "f16", "--target", "a100", "--emit", "asm", "--explain"});
  EXPECT_NE(ptx.out.find(".target sm_80"), std::string::npos);
  EXPECT_NE(ptx.out.find("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"), std::string::npos);
  EXPECT_NE(ptx.err.find("blocks of 128 threads"), std::string::npos) << ptx.err;
  json said = object({"compile", "--op", "gemm", "--dtype", "f16", "--target", "t4", "--ptxas", "none", "--json"});
  EXPECT_EQ(said["threads"], 128);
  EXPECT_TRUE(said["registers"].is_null() && said["spill_bytes"].is_null() && said["ptxas"].is_null()) << said;
  EXPECT_GT(said["instructions"]["mma"].get<int>(), 0);
  EXPECT_GT(said["instructions"]["global_load_16"].get<int>(), 0);
  ASSERT_EQ(said["entries"].size(), 2u);
  EXPECT_EQ(said["entries"][0]["instructions"]["global_load_16"], 0); // rows of any alignment
  expectError({"compile", "--op", "softmax", "--target", "t4", "--ptxas", "none", "--emit", "binary"}, 1,
              "--emit binary: a cubin takes NVIDIA's ptxas, which is neither on PATH nor in CUDA_HOME nor given with "
              "--ptxas; --emit asm writes the PTX, which runs as well");
}

// A script stands in for NVIDIA's assembler.
TEST(Compile, ForAGpuWithItsAssembler) {
  std::string path = scratch() + "/ptxas";
  std::ofstream(path) << R"(#!/bin/sh
if [ "$1" = --version ]; then echo "Ptx optimizing assembler, release 9, V9.9.9"; exit 0; fi
echo "Compiling entry function 'softmax' for 'sm_75'" >&2
echo "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads" >&2
echo "Used 40 registers" >&2
printf '\177ELF of a script' > "$5"
)";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  json said = object({"compile", "--op", "softmax", "--target", "t4", "--ptxas", path, "--json"});
  EXPECT_EQ(said["ptxas"], "9.9.9");
  EXPECT_EQ(said["registers"], 40);
  EXPECT_EQ(said["spill_bytes"], 4);
  EXPECT_EQ(said["stack_bytes"], 8);
  EXPECT_GT(said["stage_ms"]["ptxas"].get<double>(), 0);
  EXPECT_EQ(run({"compile", "--op", "softmax", "--target", "t4", "--ptxas", path, "--emit", "binary"}).out,
            "\x7f"
            "ELF of a script");
  expectError({"compile", "--op", "softmax", "--target", "t4", "--ptxas", "/nowhere/ptxas"}, 1,
              "'/nowhere/ptxas' is no ptxas that runs: `/nowhere/ptxas --version` does not answer as one");
}

TEST(BenchCompile, QuantilesAndStages) {
  json report = object({"bench", "compile", "--op", "silu_and_mul", "--target", "cpu", "--json"});
  EXPECT_EQ(report["kernels"], report["rows"].size());
  EXPECT_GT(report["ms"]["p50"].get<double>(), 0);
  EXPECT_LE(report["ms"]["p50"].get<double>(), report["ms"]["p95"].get<double>());
  EXPECT_GT(report["lookup_ns"]["median"].get<double>(), 0);
  EXPECT_GT(report["rows"][0]["stage_ms"]["codegen"].get<double>(), 0);
  Outcome text = run({"bench", "compile", "--op", "silu_and_mul"});
  EXPECT_NE(text.out.find("cold: p50 "), std::string::npos) << text.out;
  expectError({"bench", "compile"}, 2, "--op or --library is required\nTry 'tessera bench compile --help'.");
  expectError({"bench", "compile", "--op", "gemm", "--dtype", "f12"}, 1, "unknown dtype 'f12'");
}

TEST(BenchOp, OneRowACase) {
  json rows = object({"bench", "op", "--op", "gemm", "--dtype", "f32", "--size", "M=33,N=64,K=40", "--repeats", "3",
                      "--json"})["rows"];
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["op"], "gemm");
  EXPECT_EQ(rows[0]["dtype"], "f32");
  EXPECT_EQ(rows[0]["shape"], "K=40,M=33,N=64");
  EXPECT_EQ(rows[0]["kind"], "measured");
  EXPECT_GT(rows[0]["us"]["min"].get<double>(), 0);
  EXPECT_GT(rows[0]["tflops"].get<double>(), 0);
  EXPECT_GT(rows[0]["gb_s"].get<double>(), 0);
  EXPECT_GT(rows[0]["percent_of_roofline"].get<double>(), 0);
  EXPECT_FALSE(rows[0]["config"].get<std::string>().empty());
  expectError({"bench", "op", "--op", "gemm", "--size", "M=x"}, 1, "--size 'M=x': want name=number");
  expectError({"bench", "op", "--op", "gemm", "--size", "heads=3"}, 1, "op 'gemm' has no size 'heads'");
  expectError({"bench"}, 2, "A subcommand is required\nTry 'tessera bench --help'.");
}

TEST(Compile, DumpsStages) {
  std::string folder = scratch() + "/dump";
  EXPECT_EQ(run({"compile", "--op", "silu_and_mul"}, {"TESSERA_DUMP=tile,asm:" + folder}).status, 0);
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    files += entry.file_size() > 0;
  EXPECT_EQ(files, 2u);
}

} // namespace
} // namespace tessera::test

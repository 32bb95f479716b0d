// run-kernel, and the GPUs that devices lists.
#include "tests/cli/process.h"
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace tessera::test {
namespace {

using nlohmann::json;

// y[i] = a * x[i] + y[i] for i < n; `guarded` is false where the guard is to be missing.
std::string saxpy(bool guarded = true) {
  std::string path = scratch() + (guarded ? "/saxpy.ptx" : "/unguarded.ptx");
  std::ofstream(path) << R"(.version 6.3
.target sm_75
.address_size 64
// .entry in a comment is none
.visible .entry saxpy(.param .u64 n, .param .u64 x, .param .u64 y, .param .f32 a)
{
  .reg .pred %p;
  .reg .b32 %r<4>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<4>;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ntid.x;
  mov.u32 %r2, %tid.x;
  mad.lo.s32 %r3, %r0, %r1, %r2;
  cvt.u64.u32 %rd0, %r3;
  ld.param.u64 %rd1, [n];
  setp.ge.u64 %p, %rd0, %rd1;
)" << (guarded ? "  @%p ret;\n" : "")
                      << R"(  ld.param.u64 %rd2, [x];
  ld.param.u64 %rd3, [y];
  ld.param.f32 %f0, [a];
  shl.b64 %rd4, %rd0, 2;
  add.u64 %rd5, %rd2, %rd4;
  add.u64 %rd6, %rd3, %rd4;
  ld.global.f32 %f1, [%rd5];
  ld.global.f32 %f2, [%rd6];
  fma.rn.f32 %f3, %f0, %f1, %f2;
  st.global.f32 [%rd6], %f3;
  ret;
}
)";
  return path;
}

std::vector<std::string> command(const std::string &file, const std::vector<std::string> &more = {}) {
  std::vector<std::string> words = {"run-kernel", file,    "--grid",         "8",     "--block",     "128",   "--arg",
                                    "u64=1000",   "--arg", "f32[1000]=iota", "--arg", "f32[1000]=1", "--arg", "f32=2"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void expectError(const std::vector<std::string> &arguments, const std::string &sentence) {
  Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_EQ(outcome.err, "tessera: " + sentence + "\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(Devices, ListsTheVirtualGpus) {
  json list = json::parse(run({"devices", "--json"}).out)["devices"];
  auto named = [&](const std::string &name) {
    auto found = std::find_if(list.begin(), list.end(), [&](const json &device) { return device["name"] == name; });
    return found == list.end() ? json() : *found;
  };
  json t4 = named("virtual:t4"), h100 = named("virtual:h100");
  EXPECT_EQ(t4["kind"], "virtual");
  EXPECT_EQ(t4["target"], "sm_75");
  EXPECT_EQ(t4["memory_bytes"], int64_t(15) << 30);
  EXPECT_EQ(h100["shared_bytes"], 227 * 1024);
  EXPECT_NE(h100["features"].get<std::string>().find("wgmma"), std::string::npos);
  EXPECT_EQ(t4["features"].get<std::string>().find("bf16"), std::string::npos);
  std::string text = run({"devices"}).out;
  EXPECT_NE(text.find("\nvirtual:a10g    NVIDIA A10G, 80 SMs, 24.16 GB, 99 KiB shared memory a block"),
            std::string::npos)
      << text;
}

TEST(RunKernel, GivesValuesCountersAndTheModelledTime) {
  for (std::string chip : {"virtual:t4", "virtual:a100", "virtual:h100"}) {
    Outcome outcome = run(command(saxpy(), {"--device", chip, "--out", "2", "--json"}));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    json report = json::parse(outcome.out);
    EXPECT_EQ(report["kernel"], "saxpy");
    EXPECT_EQ(report["device"], chip);
    EXPECT_EQ(report["findings"], json::array());
    EXPECT_GT(report["modelled_us"].get<double>(), 0);
    EXPECT_EQ(report["counters"]["blocks"], 8);
    EXPECT_EQ(report["counters"]["global_bytes"], 3 * 4000);
    EXPECT_EQ(report["counters"]["global_sectors"], 3 * 4000 / 32);
    EXPECT_GT(report["lines"][0]["issues"].get<int>(), 0);
    EXPECT_EQ(report["outputs"][0]["values"], json({1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31}));
  }
  std::string text = run(command(saxpy(), {"--device", "virtual:t4"})).out;
  EXPECT_TRUE(text.starts_with("saxpy on virtual:t4: ")) << text;
  EXPECT_NE(text.find("us modelled, bound by "), std::string::npos);
  EXPECT_NE(text.find("The costliest lines (us if nothing hid them, and the resource):\n"), std::string::npos);
}

TEST(RunKernel, FilesGoInAndOut) {
  std::string in = scratch() + "/in.bin", out = scratch() + "/out.bin";
  const float values[4] = {1, 2, 3, 4};
  std::ofstream(in, std::ios::binary).write(reinterpret_cast<const char *>(values), sizeof(values));
  Outcome outcome = run({"run-kernel", saxpy(), "--block", "32", "--arg", "u64=4", "--arg", "f32[2x2]=@" + in, "--arg",
                         "f32[4]=0.5", "--arg", "f32=10", "--out", "2=" + out});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::ifstream file(out, std::ios::binary);
  float got[4] = {};
  file.read(reinterpret_cast<char *>(got), sizeof(got));
  EXPECT_EQ(std::vector<float>(got, got + 4), (std::vector<float>{10.5, 20.5, 30.5, 40.5}));
  expectError({"run-kernel", saxpy(), "--arg", "f32[5]=@" + in}, "'" + in + "' has 16 bytes, but the buffer 20");
}

TEST(RunKernel, AFindingIsReportedAndFails) {
  Outcome outcome = run(command(saxpy(false), {"--device", "virtual:a100", "--json"}));
  EXPECT_EQ(outcome.status, 1);
  json finding = json::parse(outcome.out)["findings"][0];
  EXPECT_EQ(finding["kind"], "out of bounds");
  EXPECT_EQ(finding["ptx_line"], 24);
  EXPECT_EQ(finding["block"], json({7, 0, 0}));
  EXPECT_EQ(finding["thread"], json({104, 0, 0}));
  EXPECT_TRUE(outcome.err.starts_with("tessera: virtual:a100: kernel 'saxpy' failed: ")) << outcome.err;
  EXPECT_NE(outcome.err.find("ld.global.f32"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("tessera virtual GPU:"), std::string::npos) << "told twice";
}

TEST(RunKernel, MistakesGetOneSentence) {
  std::string file = saxpy();
  expectError({"run-kernel", "/nowhere.ptx"}, "'/nowhere.ptx' cannot be read");
  expectError({"run-kernel", scratch()}, "'" + scratch() + "' is a folder, not a PTX file");
  expectError({"run-kernel", file, "--arg", "f32[5]=@" + scratch()}, "'" + scratch() + "' cannot be read");
  expectError({"run-kernel", file, "--grid", "1,70000", "--arg", "u64=0", "--arg", "f32[1]", "--arg", "f32[1]", "--arg",
               "f32=0"},
              "kernel 'saxpy' cannot run 70000 programs along y: a GPU's limit there is 65535");
  expectError({"run-kernel", file, "--kernel", "gemm"}, "'" + file + "' has no kernel 'gemm': there are saxpy");
  expectError({"run-kernel", file, "--grid", "1,0"}, "--grid '1,0': want X, X,Y or X,Y,Z, each at least 1");
  expectError({"run-kernel", file, "--block", "1,1,1,1"}, "--block '1,1,1,1': want X, X,Y or X,Y,Z, each at least 1");
  expectError({"run-kernel", file, "--arg", "f33=1"},
              "--arg 'f33=1': 'f33' is no element type: known are i8 u8 i16 u16 i32 u32 i64 u64 f16 bf16 f32 f64");
  expectError({"run-kernel", file, "--arg", "i8=128"}, "--arg 'i8=128': '128' is no i8");
  expectError({"run-kernel", file, "--arg", "u8=-1"}, "--arg 'u8=-1': '-1' is no u8");
  expectError({"run-kernel", file, "--arg", "f32"}, "--arg 'f32': a scalar wants a value, such as f32=1");
  expectError({"run-kernel", file, "--arg", "f32[0]=1"},
              "--arg 'f32[0]=1': a buffer is f32[N] or f32[NxM], of at most 64 GiB");
  expectError({"run-kernel", file, "--arg", "f32[4]=x"},
              "--arg 'f32[4]=x': 'x' is no f32, iota, random, random:SEED or @FILE");
  expectError(command(file, {"--out", "0"}),
              "--out '0': want N or N=FILE, N the place of a buffer among the arguments from 0");
  expectError({"run-kernel", file, "--arg", "u64=1"}, "kernel 'saxpy': its code takes 4 parameters, but 1 are passed");
  expectError(command(file, {"--device", "cpu"}), "'cpu' does not run PTX: want virtual:CHIP or cuda:N");
  Outcome unknown = run(command(file, {"--device", "virtual:z80"}));
  EXPECT_EQ(unknown.status, 1);
  EXPECT_TRUE(unknown.err.starts_with("tessera: unknown virtual chip 'z80': known are t4, v100, ")) << unknown.err;
  Outcome noDriver = run(command(file, {"--device", "cuda:4711"}));
  EXPECT_EQ(noDriver.status, 1);
  EXPECT_TRUE(noDriver.err.starts_with("tessera: cuda:4711: ")) << noDriver.err;
  EXPECT_EQ(std::count(noDriver.err.begin(), noDriver.err.end(), '\n'), 1);
}

// What goes in as f16, bf16 and integers comes out again: the block is never entered, so nothing is changed.
TEST(RunKernel, EveryElementTypeKeepsItsValues) {
  for (auto [arg, want] :
       std::vector<std::pair<std::string, json>>{{"f16[3]=0.1", {0.0999755859375, 0.0999755859375, 0.0999755859375}},
                                                 {"bf16[2]=-3", {-3, -3}},
                                                 {"f64[1]=0.1", json::array({0.1})},
                                                 {"i8[3]=iota", {0, 1, 2}},
                                                 {"i16[1]=-32768", json::array({-32768})},
                                                 {"u32[1]=4294967295", json::array({4294967295u})},
                                                 {"i64[1]=-9", json::array({-9})}}) {
    Outcome outcome = run({"run-kernel", saxpy(), "--arg", "u64=0", "--arg", arg, "--arg", "f32[1]", "--arg", "f32=0",
                           "--out", "1", "--json"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(json::parse(outcome.out)["outputs"][0]["values"], want) << arg;
  }
}

} // namespace
} // namespace tessera::test

// NVIDIA's assembler: found, asked, and survived where it is none. The programs here are scripts but for the last test.
#include "base/child_process.h"
#include "compiler/assembler.h"
#include "compiler/compile.h"
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace tessera {
namespace {

namespace fs = std::filesystem;

const std::string release = "echo 'ptxas: NVIDIA (R) Ptx optimizing assembler'\n"
                            "echo 'Cuda compilation tools, release 12.4, V12.4.131'\n";

class AssemblerTest : public testing::Test {
protected:
  // A program `folder/ptxas` that answers --version with `version` and else runs `body` (its arguments: -v -arch=A in
  // -o out).
  std::string program(const std::string &folder, const std::string &version, const std::string &body = "exit 0") {
    fs::create_directories(scratch.path / folder);
    std::string path = scratch.path / folder / "ptxas";
    std::ofstream(path) << "#!/bin/sh\nif [ \"$1\" = --version ]; then\n" << version << "exit 0\nfi\n" << body << "\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  Assembler assembler(const std::string &body) {
    return **findAssembler(program("p" + std::to_string(count++), release, body));
  }
  void SetUp() override {
    if (const char *home = std::getenv("CUDA_HOME"))
      cudaHome = home;
  }
  void TearDown() override {
    setenv("PATH", path.c_str(), 1);
    setenv("CUDA_HOME", cudaHome.c_str(), 1);
  }
  Artifact artifact() {
    Artifact made;
    made.signature.name = "scale";
    made.entry = "scale";
    made.alignedEntry = "scale_aligned";
    made.bytes = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry scale() { ret; }\n"
                 ".visible .entry scale_aligned() { ret; }\n";
    return made;
  }
  const Target &a100 = **findTarget("a100");
  ScratchFolder scratch;
  std::string path = std::getenv("PATH"), cudaHome;
  int count = 0;
};

TEST_F(AssemblerTest, TheFirstThatAnswersIsTaken) {
  std::string dumb = fs::path(program("dumb", "echo hello\n")).parent_path();
  std::string good = program("cuda/bin", release);
  setenv("PATH", (dumb + ":/nowhere").c_str(), 1);
  unsetenv("CUDA_HOME");
  EXPECT_FALSE(*findAssembler());
  setenv("CUDA_HOME", (scratch.path / "cuda").c_str(), 1);
  std::optional<Assembler> found = *findAssembler();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, good);
  EXPECT_EQ(found->version, "12.4.131");
  EXPECT_FALSE(found->named);
  EXPECT_FALSE(*findAssembler("none"));
}

TEST_F(AssemblerTest, ANamedOneMustAnswer) {
  std::string dumb = program("dumb", "echo hello\n");
  for (const std::string &named : {dumb, std::string("/nowhere/ptxas")}) {
    auto found = findAssembler(named);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message,
              "'" + named + "' is no ptxas that runs: `" + named + " --version` does not answer as one");
  }
  EXPECT_TRUE((*findAssembler(program("good", release)))->named);
}

TEST_F(AssemblerTest, AddsMachineCodeAndResourcesAndKeepsThePtx) {
  Assembler good = assembler("cat >&2 <<'END'\n"
                             "ptxas info    : Compiling entry function 'scale_aligned' for 'sm_80'\n"
                             "ptxas info    : Function properties for scale_aligned\n"
                             "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
                             "ptxas info    : Used 31 registers, used 1 barriers, 384 bytes cmem[0]\n"
                             "ptxas info    : Compiling entry function 'scale' for 'sm_80'\n"
                             "ptxas info    : Function properties for scale\n"
                             "    64 bytes stack frame, 48 bytes spill stores, 52 bytes spill loads\n"
                             "ptxas info    : Used 255 registers, used 1 barriers, 2048 bytes smem, 384 bytes cmem[0]\n"
                             "END\n"
                             "[ \"$2\" = -arch=sm_80 ] && printf '\\177ELF rest' > \"$5\"");
  Artifact made = artifact(), before = made;
  Status assembled = assemble(good, a100, made);
  ASSERT_TRUE(assembled) << assembled.error().message;
  EXPECT_EQ(made.cubin, "\x7f"
                        "ELF rest");
  EXPECT_EQ(made.bytes, before.bytes);
  EXPECT_EQ(made.resources, (ResourceReport{64, 48, 255, 2048}));
  EXPECT_EQ(made.alignedResources, (ResourceReport{0, 0, 31, 0}));
}

// `scale` of so many threads, of which the program says that it spills 8 bytes under bounds below `enough`.
struct Spilling {
  std::string body;
  Artifact artifact;
  Spilling(Artifact made, int enough, const std::string &inBody = "", int threads = 128) : artifact(std::move(made)) {
    artifact.bytes = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry scale(\n)\n.reqntid " +
                     std::to_string(threads) + "\n{\n" + inBody + "ret;\n}\n";
    artifact.alignedEntry = "";
    artifact.block.threads[0] = threads;
    body = "bound=$(sed -n 's/^.maxnreg //p' \"$3\")\nspilled=8\n[ \"${bound:-0}\" -ge " + std::to_string(enough) +
           " ] && spilled=0\n"
           "cat >&2 <<END\n"
           "ptxas info    : Compiling entry function 'scale' for 'sm_80'\n"
           "    $spilled bytes stack frame, $spilled bytes spill stores, $spilled bytes spill loads\n"
           "ptxas info    : Used ${bound:-96} registers, 384 bytes cmem[0]\n"
           "END\n"
           "printf \"\\177ELF${bound}\" > \"$5\"";
  }
};

TEST_F(AssemblerTest, AnEntryThatSpillsGetsTheRegistersOfOneBlockLess) {
  Spilling kernel(artifact(), 112);
  ASSERT_TRUE(assemble(assembler(kernel.body), a100, kernel.artifact));
  EXPECT_EQ(kernel.artifact.resources, (ResourceReport{0, 0, 128, 0})); // four blocks instead of five
  EXPECT_TRUE(kernel.artifact.bytes.find("(\n)\n.reqntid 128\n.maxnreg 128\n{\n") != std::string::npos)
      << kernel.artifact.bytes;
  EXPECT_EQ(kernel.artifact.cubin, "\x7f"
                                   "ELF128");
}

TEST_F(AssemblerTest, AnEntryThatSpillsGetsAllRegistersWhereFewerDoNotDo) {
  Spilling kernel(artifact(), 200), small(artifact(), 250, "", 32); // of 32 threads one block less gives little
  for (Spilling *each : {&kernel, &small}) {
    ASSERT_TRUE(assemble(assembler(each->body), a100, each->artifact));
    EXPECT_EQ(each->artifact.resources, (ResourceReport{0, 0, 255, 0}));
  }
}

TEST_F(AssemblerTest, AnEntryThatSpillsAnywayStaysAsItWas) {
  Spilling kernel(artifact(), 300), sharing(artifact(), 112, "setmaxnreg.inc.sync.aligned.u32 160;\n");
  for (Spilling *each : {&kernel, &sharing}) {
    std::string before = each->artifact.bytes;
    ASSERT_TRUE(assemble(assembler(each->body), a100, each->artifact));
    EXPECT_EQ(each->artifact.resources, (ResourceReport{8, 8, 96, 0}));
    EXPECT_EQ(each->artifact.bytes, before);
  }
}

TEST_F(AssemblerTest, AFailureIsOneSentenceAndChangesNothing) {
  struct Row {
    const char *body, *how;
  };
  for (const Row &row : {Row{"exit 3", "fails: it said nothing"},
                         Row{"echo \"$3, line 7; error   : Unexpected instruction types\" >&2; exit 255",
                             "fails: the PTX, line 7; error   : Unexpected instruction types"},
                         Row{"kill -9 $$", "fails: it said nothing"}, Row{"exit 0", "wrote no cubin"},
                         Row{"echo rubbish > \"$5\"", "wrote no cubin"}}) {
    Assembler bad = assembler(row.body);
    Artifact made = artifact();
    Status assembled = assemble(bad, a100, made);
    ASSERT_FALSE(assembled) << row.body;
    EXPECT_EQ(assembled.error().message, "kernel 'scale': the assembler " + bad.path + " 12.4.131 " + row.how);
    EXPECT_EQ(made, artifact());
  }
}

TEST_F(AssemblerTest, ItsVersionIsPartOfTheCacheKey) {
  Program program;
  EXPECT_NE(cacheKey(program, a100, {}, "12.4.131"), cacheKey(program, a100, {}, "13.0.88"));
  EXPECT_NE(cacheKey(program, a100, {}, "12.4.131"), cacheKey(program, a100));
}

TEST_F(AssemblerTest, TheMachinesOwnTakesOurPtx) {
  std::optional<Assembler> real = *findAssembler();
  if (!real)
    GTEST_SKIP() << "no ptxas on PATH or in CUDA_HOME";
  std::ifstream file("tests/compiler/gemm.mlir");
  std::stringstream text;
  text << file.rdbuf();
  Program program;
  program.text = program.fingerprint = text.str();
  program.signature.name = "gemm";
  program.signature.dims = {"M", "N", "K"};
  for (const Target &target : targets()) {
    if (target.vendor != Vendor::nvidia)
      continue;
    Artifact made = compile(program, target).value();
    EXPECT_LT(made.resources.registers, 0);
    Status assembled = assemble(*real, target, made);
    ASSERT_TRUE(assembled) << assembled.error().message;
    EXPECT_TRUE(made.cubin.starts_with("\x7f"
                                       "ELF"))
        << target.name;
    EXPECT_GT(made.resources.registers, 8) << target.name;
    EXPECT_EQ(made.resources.spillBytes, 0) << target.name;
    EXPECT_GT(made.alignedResources.registers, 8) << target.name;
    EXPECT_TRUE(made.bytes.find(".visible .entry gemm(") != std::string::npos);
  }
}

} // namespace
} // namespace tessera

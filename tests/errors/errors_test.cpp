#include "base/target.h"
#include "compiler/compile.h"
#include "dsl/trace.h"
#include "tests/errors/wrong.h"
#include <fstream>
#include <gtest/gtest.h>
#include <set>

namespace tessera::dsl {

// "file:line" of the mistake that `name` marks.
static std::string markedLine(const Table &table, const std::string &name) {
  std::ifstream in(table.file);
  std::string text;
  bool found = false;
  for (int line = 1; std::getline(in, text); ++line) {
    found = found || text.find("{\"" + name + "\",") != std::string::npos;
    if (found && text.ends_with("// error-line"))
      return std::string(table.file) + ":" + std::to_string(line);
  }
  return "no marked line for '" + name + "'";
}

static Result<Program> traced(const Wrong &wrong) { return traceKernel("wrong", "", wrong.define); }

class Errors : public testing::TestWithParam<Table (*)()> {};

TEST_P(Errors, NameTheLineAndTheMistake) {
  Table table = GetParam()();
  std::set<std::string> names;
  for (const Wrong &wrong : table.programs) {
    EXPECT_TRUE(names.insert(wrong.name).second) << wrong.name << " is there twice";
    Result<Program> program = traced(wrong);
    if (program) {
      ADD_FAILURE() << wrong.name << " was accepted";
      continue;
    }
    EXPECT_EQ(program.error().blame, Blame::invalidArgument);
    EXPECT_EQ(program.error().message, markedLine(table, wrong.name) + ": " + wrong.message) << wrong.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Language, Errors, testing::Values(declarations, accesses, elements, products, loops, scopes));

static void expectRefused(const Table &table, std::string_view target) {
  for (const Wrong &wrong : table.programs) {
    Program program = traced(wrong).value();
    Result<Artifact> artifact = compile(program, *findTarget(target).value());
    if (artifact) {
      ADD_FAILURE() << wrong.name << " was accepted";
      continue;
    }
    EXPECT_EQ(artifact.error().message, markedLine(table, wrong.name) + ": " + wrong.message) << wrong.name;
  }
}

TEST(Errors, OfATargetNameTheLineAndTheMistake) {
  expectRefused(targets(), "cpu-avx512");
  expectRefused(gpuTargets(), "t4");
}

// A trace that failed leaves nothing behind: the next one on the thread is as if it were the first.
TEST(Errors, DoNotSpoilTheNextTrace) {
  auto right = [](Kernel &k) {
    Frame f(k);
    Tile v = load(f.S(f.m, f.n));
    store(f.S(f.m, f.n), v);
    store(f.C(f.m, f.n), v);
  };
  std::string before = traceKernel("right", "", right).value().text;
  for (auto table : {declarations, accesses, elements, products, loops, scopes})
    for (const Wrong &wrong : table().programs)
      EXPECT_FALSE(traced(wrong));
  EXPECT_EQ(traceKernel("right", "", right).value().text, before);
}

// Verbs outside of any kernel have nowhere to report to; they give poison, and using it names the line.
TEST(Errors, VerbsOutsideAKernelDoNotCrash) {
  Tile stray = dot(zeros({4, 4}), zeros({4, 4})) + 1;
  EXPECT_EQ(stray.shape(), (Shape{4, 4}));
  auto program = traceKernel("wrong", "", [&](Kernel &k) {
    Frame f(k);
    store(f.C(f.m, f.n), stray);
  });
  ASSERT_FALSE(program);
  EXPECT_NE(program.error().message.find("this tile was never given a value in this kernel"), std::string::npos);
}

TEST(Errors, AKernelNeedsAName) {
  auto program = traceKernel("my kernel", "", [](Kernel &k) { Frame f(k); });
  ASSERT_FALSE(program);
  EXPECT_NE(program.error().message.find(": 'my kernel' is not a name"), std::string::npos) << program.error().message;
}

} // namespace tessera::dsl

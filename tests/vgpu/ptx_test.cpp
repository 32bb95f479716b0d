// The PTX front end: what it reads prints to text that reads the same; hostile text is refused, not followed.
#include "runtime/vgpu/ptx/parser.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>

namespace tessera::vgpu::ptx {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  for (const auto &entry : std::filesystem::recursive_directory_iterator("tests/vgpu/kernels"))
    if (entry.path().extension() == ".ptx") {
      std::ifstream file(entry.path());
      texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  return texts;
}

TEST(Ptx, RoundTrip) {
  auto texts = corpus();
  ASSERT_GE(texts.size(), 8u);
  for (const std::string &text : texts) {
    auto first = parse(text);
    ASSERT_TRUE(first) << first.error().message;
    std::string printed = print(*first);
    auto second = parse(printed);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(print(*second), printed);
    ASSERT_EQ(second->functions.size(), first->functions.size());
    for (size_t f = 0; f < first->functions.size(); ++f)
      EXPECT_EQ(second->functions[f].body.size(), first->functions[f].body.size()) << first->functions[f].name;
  }
}

TEST(Ptx, ModifiersInAnyOrder) {
  const std::string head = ".version 8.0\n.target sm_80\n.address_size 64\n.entry k()\n{\n.reg .b32 %r<5>;\n";
  for (const char *form : {"ldmatrix.sync.aligned.x4.m8n8.shared.b16 {%r0,%r1,%r2,%r3}, [%r4];",
                           "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0,%r1,%r2,%r3}, [%r4];"}) {
    auto module = parse(head + form + "\nret;\n}\n");
    ASSERT_TRUE(module) << module.error().message;
    const Instruction &i = module->functions[0].body[0];
    EXPECT_EQ(i.opcode, "ldmatrix");
    EXPECT_TRUE(i.has("x4") && i.has("m8n8"));
    EXPECT_EQ(i.type(), Type::b16);
  }
}

// PTX ISA 6.3 to 9.0; an instruction that is younger than the module says is refused with both versions.
TEST(Ptx, Versions) {
  auto text = [](const std::string &version, const std::string &instruction) {
    return ".version " + version + "\n.target sm_75\n.address_size 64\n.entry k()\n{\n.reg .b32 %r<9>;\n" +
           instruction + "\nret;\n}\n";
  };
  for (const char *version : {"6.3", "6.4", "6.5", "7.0", "7.5", "7.8", "8.0", "8.4", "8.8", "9.0"})
    EXPECT_TRUE(parse(text(version, "add.u32 %r0, %r1, %r2;"))) << version;
  for (const char *version : {"9.1", "10.0", "x", "-1.0", "8"}) {
    auto refused = parse(text(version, ""));
    ASSERT_FALSE(refused) << version;
    EXPECT_TRUE(refused.error().message.starts_with("line 1: ")) << refused.error().message;
  }
  const std::string ldmatrix = "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r1];";
  EXPECT_TRUE(parse(text("6.5", ldmatrix)));
  auto young = parse(text("6.4", ldmatrix));
  ASSERT_FALSE(young);
  EXPECT_EQ(young.error().message, "line 7: ldmatrix needs PTX version 6.5, the module says 6.4");
}

TEST(Ptx, PrototypesOfIndirectCallsPrintAsTheyRead) {
  auto module = parse(".version 8.0\n.target sm_75\n.address_size 64\n.entry k()\n{\n.reg .b64 %rd<3>;\n{\n.param .b32 "
                      "a;\n.param .b64 r;\n"
                      "p : .callprototype (.param .b64 _) _ (.param .align 8 .b8 _[16], .param .b32 _) .noreturn;\n"
                      "call (r), %rd1, (a, a), p;\n}\nret;\n}\n");
  ASSERT_TRUE(module) << module.error().message;
  const Function &f = module->functions[0];
  ASSERT_EQ(f.prototypes.count("p"), 1u);
  EXPECT_EQ(f.prototypes.find("p")->second.parameters[0].size, 16u);
  EXPECT_EQ(f.prototypes.find("p")->second.results.size(), 1u);
  auto again = parse(print(*module));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(print(*again), print(*module));
}

TEST(Ptx, LabelsAndRegistersAreScoped) {
  auto module = parse(".version 8.0\n.target sm_90\n.address_size 64\n.entry k()\n{\n.reg .pred p;\n"
                      "{\n.reg .pred p;\nL: @p bra L;\n}\n{\n.reg .pred p;\nL: @p bra L;\n}\nret;\n}\n");
  ASSERT_TRUE(module) << module.error().message;
  const auto &body = module->functions[0].body;
  ASSERT_EQ(body.size(), 3u);
  EXPECT_EQ(body[0].operands[0].variable, 0);
  EXPECT_EQ(body[1].operands[0].variable, 1);
  EXPECT_NE(body[0].guard, body[1].guard);
}

// Cut and corrupted text: an error or a module, never a crash.
TEST(Ptx, SurvivesMutations) {
  std::mt19937 generator(11);
  auto texts = corpus();
  for (int round = 0; round < 60; ++round) {
    std::string text = texts[generator() % texts.size()].substr(0, 20000);
    text.resize(generator() % text.size());
    for (int k = 0; k < 8 && !text.empty(); ++k) {
      size_t at = generator() % text.size();
      switch (generator() % 3) {
      case 0:
        text[at] = char(generator());
        break;
      case 1:
        text.erase(at, generator() % 30);
        break;
      default:
        text.insert(at, std::string(1 + generator() % 3, "{}()[];.,%@!|+-0"[generator() % 16]));
        break;
      }
    }
    auto module = parse(text);
    if (!module) {
      EXPECT_TRUE(module.error().message.starts_with("line ")) << module.error().message;
    }
  }
}

} // namespace
} // namespace tessera::vgpu::ptx

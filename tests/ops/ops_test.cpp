// The list of ops as tools use it: every op traces for every dtype and target, and nonsense is refused with a sentence.
#include "ops/all.h"
#include <gtest/gtest.h>

using namespace tessera;
using namespace tessera::ops;

TEST(Ops, EveryOpTracesForEveryDtypeAndTarget) {
  for (const OpInfo &op : all())
    for (DType dtype : op.dtypes)
      for (const Target &target : targets()) {
        OpRequest request{.dtype = dtype};
        Result<Program> program = op.trace(request, target);
        ASSERT_TRUE(program) << op.name << " " << name(dtype) << ": " << program.error().message;
        EXPECT_EQ(program->signature.name, op.name);
        EXPECT_EQ(program->config, op.defaultConfig(request, target));
        EXPECT_EQ(op.trace(request, target)->fingerprint, program->fingerprint) << op.name;
        // The default shape names every symbolic size; "K/32" and "d*2" follow from others, and so does a
        // matrix's number of panels.
        for (const std::string &dim : program->signature.dims)
          EXPECT_TRUE(dim == "panels" || op.sizes.contains(dim.substr(0, dim.find_first_of("*/"))))
              << op.name << " " << dim;
        Result<Cost> cost = op.cost(request);
        ASSERT_TRUE(cost);
        EXPECT_GT(cost->bytes, 0) << op.name;
      }
}

TEST(Ops, NamesAreUniqueAndFound) {
  for (const OpInfo &op : all())
    EXPECT_EQ(*findOp(op.name), &op);
  Result<const OpInfo *> missing = findOp("gem");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message.substr(0, 48), "unknown op 'gem': known are gemm, quantize, quan");
}

static std::string refusal(std::string_view op, const OpRequest &request) {
  Result<Program> program = (*findOp(op))->trace(request, *targets().data());
  return program ? "accepted" : program.error().message;
}

TEST(Ops, RequestsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(refusal("gemm", {.dtype = q4_1}), "op 'gemm' does not take dtype q4_1");
  EXPECT_EQ(refusal("gemm", {.sizes = {{"heads", 3}}}), "op 'gemm' has no size 'heads'");
  EXPECT_EQ(refusal("gemm", {.config = "bx=3"}), "config has no field 'bx': it has bm, bn, bk");
  EXPECT_EQ(refusal("gemm", {.config = "bm=0"}), "config 'bm=0': want name=number with a number from 1 to 65536");
  EXPECT_EQ(refusal("gemm", {.config = "bm"}), "config 'bm': want name=number with a number from 1 to 65536");
  EXPECT_EQ(refusal("kv_append", {.config = "bm=2"}), "config has no field 'bm': it has none");
  auto endsWith = [](const std::string &text, std::string_view end) {
    return text.ends_with(end) ? std::string(end) : text;
  };
  for (auto [op, request, sentence] :
       {std::tuple<std::string_view, OpRequest, std::string_view>{
            "attention",
            {.sizes = {{"heads", 5}, {"kvHeads", 2}}},
            "attention shares a kv head among equally many heads, but there are 5 heads for 2"},
        {"attention",
         {.sizes = {{"kvHeads", 0}}},
         "attention shares a kv head among equally many heads, but there are 9 heads for 0"},
        {"rope", {.sizes = {{"rotaryDim", 128}}}, "rope turns an even number of a head's 64 coordinates, not 128"},
        {"rope", {.sizes = {{"rotaryDim", 0}}}, "rope turns an even number of a head's 64 coordinates, not 0"},
        {"attention",
         {.config = "bn=16", .sizes = {{"split", 40}}},
         "attention's splits are whole steps of 16 positions, but split is 40"},
        {"attention",
         {.sizes = {{"partial", 1}}},
         "attention in parts takes a split and leaves sinks to attention_merge"},
        {"quantize", {.config = "bd=48"}, "8-bit codes come in whole groups of 32 columns, but a block has 48"}})
    EXPECT_EQ(endsWith(refusal(op, request), sentence), sentence);
}

TEST(Ops, AConfigChangesWhatItNames) {
  Result<Program> program = (*findOp("gemm"))->trace({.config = "bn=16,bm=4"}, *targets().data());
  ASSERT_TRUE(program);
  EXPECT_EQ(program->config, "bm=4,bn=16,bk=4");
}

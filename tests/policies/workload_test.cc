#include "policies/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/base/rng.h"
#include "models/op_counts.h"
#include "network_sketch.h"
#include "policies/sparse_storage.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::ValueId;
using ::testing::ElementsAre;
using Bits = WorkloadBuilder::Bits;

// Two convolutions in a residual block after a stem, with every channel count a parameter so that a pruned network can be drawn directly:
// stem(c) -> relu -> conv1(m) -> relu -> conv2(c) -> add -> relu -> depthwise(c) -> head.
Network residual(std::int64_t c, std::int64_t m) {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId stem = sketch.unary("relu0", "Relu", sketch.conv("stem", sketch.input(), c));
  const ValueId inner = sketch.unary("relu1", "Relu", sketch.conv("conv1", stem, m));
  const ValueId sum = sketch.unary("relu2", "Relu", sketch.add("add", sketch.conv("conv2", inner, c), stem));
  const ValueId deep = sketch.conv("depthwise", sum, c, 2, c);
  return sketch.finish({sketch.head(deep, 5)});
}

// Group 0: the stem's channels (and all of the residual stream); group 1: conv1's.
CouplingAnalysis residual_analysis(const Network& network, std::int64_t c, std::int64_t m) {
  CouplingAnalysis analysis = plain_analysis(network);
  analysis.groups = {{.name = "stem", .channels = c}, {.name = "conv1", .channels = m}};
  for (std::size_t v = 0; v < network.values.size(); ++v) {
    for (AxisExpression& axis : analysis.axes[v]) {
      if (axis[0][0].size == c) axis = {{Factor{0, c}}};
      if (axis[0][0].size == m) axis = {{Factor{1, m}}};
    }
  }
  return analysis;
}

int node_index(const Network& network, const std::string& name) {
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    if (network.nodes[n].name == name) return static_cast<int>(n);
  }
  ADD_FAILURE() << "no node " << name;
  return -1;
}

const OpWorkload& op_named(const Workload& workload, const std::string& name) {
  for (const OpWorkload& op : workload.ops) {
    if (op.name == name) return op;
  }
  static const OpWorkload kNone;
  ADD_FAILURE() << "no operator " << name;
  return kNone;
}

std::vector<std::string> standalone(const Workload& workload) {
  std::vector<std::string> names;
  for (const OpWorkload& op : workload.ops) {
    if (!op.is_fused) names.push_back(op.name);
  }
  return names;
}

Workload float_workload(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch = 1) {
  const WorkloadBuilder builder(network, analysis, batch);
  return builder.build(builder.full_counts(), std::vector<Bits>(network.nodes.size()));
}

std::int64_t total_macs(const Workload& workload) {
  std::int64_t total = 0;
  for (const OpWorkload& op : workload.ops) total += op.macs;
  return total;
}

TEST(Workload, MacsAreTheNetworks) {
  const Network network = residual(16, 24);
  EXPECT_EQ(total_macs(float_workload(network, residual_analysis(network, 16, 24), 4)), 4 * models::total_macs(network));
}

TEST(Workload, PrunedCountsGiveTheWorkloadOfTheSmallerNetwork) {
  const Network full = residual(16, 24), small = residual(12, 7);
  const WorkloadBuilder builder(full, residual_analysis(full, 16, 24), 2);
  const Workload pruned = builder.build({12, 7}, std::vector<Bits>(full.nodes.size()));
  const Workload expected = float_workload(small, plain_analysis(small), 2);
  EXPECT_EQ(pruned.ops, expected.ops);
  EXPECT_EQ(pruned.values, expected.values);
}

// What a search counts of a candidate is what is counted of its policy.
TEST(Workload, SparsityOfACandidateIsThatOfItsPolicy) {
  const Network network = residual(16, 24);
  const CouplingAnalysis analysis = residual_analysis(network, 16, 24);
  const WorkloadBuilder builder(network, analysis, 1);
  for (const std::string pattern : {"unstructured", "2:4", "4x1"}) {
    const SpaceOptions options{.prune = false, .sparsity = {0.5}, .sparsity_pattern = pattern};
    const SearchSpace space = make_search_space(network, analysis, {.runs_two_of_four = true}, options);
    const Candidate half{std::vector<int>(space.decisions.size(), 0)};
    const Policy policy = to_policy(network, space, half, {}, "l1");
    const Workload workload = workload_of(builder, space, half);
    EXPECT_EQ(workload.ops, workload_of(builder, network, analysis, policy).ops);
    const OpWorkload& conv = op_named(workload, "conv1");
    EXPECT_EQ(conv.weight_elements, 9 * 16 * 24);
    EXPECT_EQ(kept_weights(conv), 9 * 16 * 24 / 2);
    const std::int64_t unit = pattern == "4x1" ? 4 : 1;
    EXPECT_EQ(stored_weight_bytes(conv), stored_bytes(9 * 16 * 24 / unit, 9 * 16 * 24 / unit / 2, static_cast<int>(32 * unit)));
  }
}

TEST(Workload, OperatorsAreDescribedAsWritten) {
  const Network network = residual(16, 24);
  const Workload workload = float_workload(network, residual_analysis(network, 16, 24), 2);
  const OpWorkload& conv = op_named(workload, "conv1");
  EXPECT_EQ(conv.kind, OpKind::kConv);
  EXPECT_EQ(conv.macs, 2 * 64 * 9 * 16 * 24);
  EXPECT_EQ(conv.weight_elements, 9 * 16 * 24);
  EXPECT_EQ(conv.table_elements, 24);
  EXPECT_EQ(conv.input_elements, 2 * 16 * 64);
  EXPECT_EQ(conv.output_elements, 2 * 24 * 64);
  const OpWorkload& depthwise = op_named(workload, "depthwise");
  EXPECT_EQ(depthwise.kind, OpKind::kDepthwiseConv);
  EXPECT_EQ(depthwise.groups, 16);
  EXPECT_EQ(depthwise.stride_height, 2);
  EXPECT_EQ(depthwise.out_width, 4);
  const OpWorkload& pool = op_named(workload, "pool");
  EXPECT_EQ(pool.kind, OpKind::kPool);
  EXPECT_EQ(pool.kernel_height, 4);
  const OpWorkload& gemm = op_named(workload, "fc");
  EXPECT_EQ(gemm.kind, OpKind::kGemm);
  EXPECT_EQ(gemm.batch, 2);
  EXPECT_EQ(gemm.out_height * gemm.out_width, 1);
  EXPECT_EQ(gemm.in_channels, 16);
  EXPECT_EQ(gemm.out_channels, 5);
}

TEST(Workload, ActivationsRideOnWhatMakesTheirInput) {
  const Network network = residual(16, 24);
  EXPECT_THAT(standalone(float_workload(network, residual_analysis(network, 16, 24))),
              ElementsAre("stem", "conv1", "conv2", "add", "depthwise", "pool", "fc"));
}

TEST(Workload, ValuesLiveFromTheirProducerToTheirLastReader) {
  const Network network = residual(16, 24);
  const Workload workload = float_workload(network, residual_analysis(network, 16, 24));
  std::vector<std::string> lives;
  for (const LiveValue& value : workload.values) {
    const std::string first = value.first < 0 ? "input" : workload.ops[static_cast<std::size_t>(value.first)].name;
    lives.push_back(first + ".." + workload.ops[static_cast<std::size_t>(value.last)].name + " " + std::to_string(value.elements));
  }
  // The pooled value's last reader is fc, through the view; the stem's is the addition.
  EXPECT_THAT(lives, ElementsAre("input..stem 192", "stem..add 1024", "conv1..conv2 1536", "conv2..add 1024", "add..depthwise 1024",
                                 "depthwise..pool 256", "pool..fc 16", "fc..fc 5"));
}

TEST(Workload, PointwiseOperatorsWriteInPlaceAndConcatCopies) {
  NetworkSketch sketch({models::kDynamic, 3, 8, 8});
  const models::ValueId a = sketch.conv("a", sketch.input(), 4), b = sketch.conv("b", sketch.input(), 4);
  const models::ValueId joined = sketch.node("joined", "Concat", {a, b}, {models::kDynamic, 8, 8, 8}, {{"axis", std::int64_t{1}}});
  const models::ValueId c = sketch.conv("c", joined, 8);
  const models::ValueId sum = sketch.add("sum", joined, c);     // both inputs die here
  const models::ValueId again = sketch.add("again", sum, sum);  // rides on `sum`
  const models::ValueId kept = sketch.add("kept", again, sketch.conv("d", again, 8));
  const models::ValueId last = sketch.conv("last", kept, 8);
  const Network network = sketch.finish({sketch.add("output", last, kept)});
  const Workload workload = float_workload(network, plain_analysis(network));
  std::vector<std::string> reused;
  const auto maker = [&](const LiveValue& value) {
    return value.first < 0 ? std::string("input") : workload.ops[static_cast<std::size_t>(value.first)].name;
  };
  for (const LiveValue& value : workload.values) {
    reused.push_back(maker(value) + (value.reuses < 0 ? "" : " on " + maker(workload.values[static_cast<std::size_t>(value.reuses)])));
  }
  EXPECT_THAT(reused, ElementsAre("input", "a", "b", "joined", "c", "sum on joined", "d", "kept on sum", "last", "output on last"));
}

TEST(Workload, WidthsFollowTheReaders) {
  const Network network = residual(16, 24);
  const WorkloadBuilder builder(network, residual_analysis(network, 16, 24), 1);
  std::vector<Bits> bits(network.nodes.size());
  bits[static_cast<std::size_t>(node_index(network, "conv1"))] = {4, 6};
  bits[static_cast<std::size_t>(node_index(network, "conv2"))] = {3, 5};
  bits[static_cast<std::size_t>(node_index(network, "depthwise"))] = {8, 4};
  bits[static_cast<std::size_t>(node_index(network, "fc"))] = {8, 7};
  const Workload workload = builder.build(builder.full_counts(), bits);
  EXPECT_EQ(op_named(workload, "conv1").weight_bits, 4);
  EXPECT_EQ(op_named(workload, "conv1").input_bits, 6);
  EXPECT_EQ(op_named(workload, "conv1").output_bits, 5);      // conv2 reads it
  EXPECT_EQ(op_named(workload, "conv2").output_bits, 8);      // the addition, whose reader is 4 bits wide
  EXPECT_EQ(op_named(workload, "stem").output_bits, 8);       // conv1 at 6 and the addition
  EXPECT_EQ(op_named(workload, "add").output_bits, 4);        // depthwise
  EXPECT_EQ(op_named(workload, "depthwise").output_bits, 8);  // average pooling
  EXPECT_EQ(op_named(workload, "pool").output_bits, 7);       // fc
  EXPECT_EQ(op_named(workload, "fc").output_bits, 32);        // the network's output
  EXPECT_EQ(op_named(workload, "stem").input_bits, 32);       // a float layer
}

// dependencies() must name everything that can change an operator or value: change all else and compare.
TEST(Workload, DependenciesAreComplete) {
  const Network network = residual(16, 24);
  const WorkloadBuilder builder(network, residual_analysis(network, 16, 24), 1);
  Rng rng(3, "dependencies");
  const auto random_counts = [&] { return std::vector<std::int64_t>{1 + rng.below(16), 1 + rng.below(24)}; };
  const auto random_bits = [&] {
    std::vector<Bits> bits(network.nodes.size());
    for (Bits& b : bits) b = {static_cast<int>(2 + rng.below(7)), static_cast<int>(2 + rng.below(7))};
    return bits;
  };
  for (int round = 0; round < 50; ++round) {
    const auto counts = random_counts();
    const auto bits = random_bits();
    const Workload whole = builder.build(counts, bits);
    const auto restore = [&](const WorkloadBuilder::Dependencies& dependencies, auto& other_counts, auto& other_bits) {
      for (const int group : dependencies.groups) other_counts[static_cast<std::size_t>(group)] = counts[static_cast<std::size_t>(group)];
      for (const int node : dependencies.nodes) other_bits[static_cast<std::size_t>(node)] = bits[static_cast<std::size_t>(node)];
    };
    for (int op = 0; op < builder.op_count(); ++op) {
      auto other_counts = random_counts();
      auto other_bits = random_bits();
      restore(builder.dependencies(op), other_counts, other_bits);
      EXPECT_EQ(builder.build_op(op, other_counts, other_bits), whole.ops[static_cast<std::size_t>(op)]);
    }
    for (int value = 0; value < builder.value_count(); ++value) {
      auto other_counts = random_counts();
      auto other_bits = random_bits();
      restore(builder.value_dependencies(value), other_counts, other_bits);
      EXPECT_EQ(builder.build_value(value, other_counts, other_bits), whole.values[static_cast<std::size_t>(value)]);
    }
  }
}

// A transformer's pieces spelled out: projection, GELU, residual, LayerNorm, attention scores.
TEST(Workload, GeluAndLayerNormSpelledOutAreFused) {
  NetworkSketch sketch({kDynamic, 6, 8});
  const models::Shape wide{kDynamic, 6, 8}, narrow{kDynamic, 6, 1};
  const auto scalar = [&](const std::string& name) { return sketch.constant(name, {}); };
  const ValueId product = sketch.node("matmul", "MatMul", {sketch.input(), sketch.constant("w", {8, 8})}, wide);
  const ValueId biased = sketch.node("bias", "Add", {product, sketch.constant("b", {8})}, wide);
  const ValueId scaled = sketch.node("scale", "Div", {biased, scalar("root2")}, wide);
  const ValueId erf = sketch.node("erf", "Erf", {scaled}, wide);
  const ValueId plus = sketch.node("plus1", "Add", {erf, scalar("one")}, wide);
  const ValueId gated = sketch.node("gate", "Mul", {biased, plus}, wide);
  const ValueId x = sketch.node("residual", "Add", {gated, sketch.input()}, wide);
  const std::map<std::string, models::Attribute> last{{"axes", std::vector<std::int64_t>{-1}}};
  const ValueId mean = sketch.node("mean", "ReduceMean", {x}, narrow, last);
  const ValueId centred = sketch.node("centre", "Sub", {x, mean}, wide);
  const ValueId squared = sketch.node("square", "Pow", {centred, scalar("two")}, wide);
  const ValueId variance = sketch.node("variance", "ReduceMean", {squared}, narrow, last);
  const ValueId deviation = sketch.unary("root", "Sqrt", sketch.node("epsilon", "Add", {variance, scalar("eps")}, narrow));
  const ValueId normal = sketch.node("divide", "Div", {centred, deviation}, wide);
  const ValueId y = sketch.node("gamma", "Mul", {normal, sketch.constant("g", {8})}, wide);
  const ValueId z = sketch.node("next", "MatMul", {y, sketch.constant("w2", {8, 4})}, {kDynamic, 6, 4});
  const Network network = sketch.finish({sketch.node("skip", "Concat", {z, x}, {kDynamic, 6, 12}, {{"axis", std::int64_t{2}}})});

  const Workload workload = float_workload(network, plain_analysis(network), 3);
  EXPECT_THAT(standalone(workload), ElementsAre("matmul", "residual", "mean", "next", "skip"));
  EXPECT_EQ(op_named(workload, "mean").output_elements, 3 * 6 * 8);  // what the whole normalization leaves
  EXPECT_EQ(op_named(workload, "matmul").out_height * op_named(workload, "matmul").out_width, 6);
  EXPECT_EQ(total_macs(workload), 3 * models::total_macs(network));
}

TEST(Workload, StackedMatrixProductsCountTheStackAsGroups) {
  NetworkSketch sketch({kDynamic, 2, 5, 4});
  const ValueId turned =
      sketch.node("turn", "Transpose", {sketch.input()}, {kDynamic, 2, 4, 5}, {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
  const Network network = sketch.finish({sketch.node("scores", "MatMul", {sketch.input(), turned}, {kDynamic, 2, 5, 5})});
  const Workload workload = float_workload(network, plain_analysis(network), 3);
  const OpWorkload& op = op_named(workload, "scores");
  EXPECT_EQ(op.kind, OpKind::kMatMul);
  EXPECT_EQ(op.batch, 3);
  EXPECT_EQ(op.groups, 2);
  EXPECT_EQ(op.in_channels, 2 * 4);
  EXPECT_EQ(op.out_channels, 2 * 5);
  EXPECT_EQ(op.out_height * op.out_width, 5);
  EXPECT_EQ(op.macs, 3 * 2 * 5 * 5 * 4);
  EXPECT_EQ(op_named(workload, "turn").kind, OpKind::kDataMovement);
}

TEST(Workload, ConvTransposeCountsInputPositions) {
  NetworkSketch sketch({kDynamic, 4, 5, 5});
  const Network network =
      sketch.finish({sketch.node("up", "ConvTranspose", {sketch.input(), sketch.constant("w", {4, 3, 2, 2})}, {kDynamic, 6, 10, 10},
                                 {{"strides", std::vector<std::int64_t>{2, 2}}, {"group", std::int64_t{2}}})});
  const OpWorkload op = float_workload(network, plain_analysis(network)).ops.at(0);
  EXPECT_EQ(op.kind, OpKind::kConvTranspose);
  EXPECT_EQ(op.groups, 2);
  EXPECT_EQ(op.macs, 25 * 4 * (4 / 2) * 6);
  EXPECT_EQ(op.macs, models::total_macs(network));
}

TEST(Workload, ActivationOfAValueThatOthersReadRunsAlone) {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId conv = sketch.conv("conv", sketch.input(), 4);
  const ValueId swish = sketch.node("swish", "Mul", {conv, sketch.unary("sigmoid", "Sigmoid", conv)}, sketch.shape(conv));
  const Network fused = sketch.finish({swish});
  EXPECT_THAT(standalone(float_workload(fused, plain_analysis(fused))), ElementsAre("conv"));
  const Network shared = sketch.finish({swish, conv});
  EXPECT_THAT(standalone(float_workload(shared, plain_analysis(shared))), ElementsAre("conv", "sigmoid", "swish"));
}

}  // namespace
}  // namespace lathe::policies

// Laws of changes of the architecture, on many small networks (tests/policies/networks) and on real ones: a network without a residual
// block computes what it does with that branch multiplied by zero, and a network of layers in two factors what it does with the products of
// the factors for weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "models/onnx_reader.h"
#include "models/op_counts.h"
#include "policies/architecture.h"
#include "policies/low_rank.h"
#include "policies/prune.h"
#include "policies/residual_blocks.h"
#include "tests/policies/network_runs.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;
using ::testing::Gt;
using ::testing::SizeIs;

std::vector<std::string> random_blocks(const Network& network, Rng& rng) {
  std::vector<std::string> names;
  for (const ResidualBlock& block : find_residual_blocks(network)) {
    if (names.empty() || rng.below(2) == 0) names.push_back(block.name);
  }
  return names;
}

// f -> f * 0 before the Adds of these blocks.
Network with_branches_times_zero(Network network, const std::vector<std::string>& names) {
  const ValueId zero = network.add_constant("zero", models::Tensor::scalar(0));
  for (const ResidualBlock& block : find_residual_blocks(network)) {
    if (std::find(names.begin(), names.end(), block.name) == names.end()) continue;
    const auto add = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const Node& node) { return node.name == block.name; });
    ValueId& f = add->inputs[add->inputs[0] == block.shortcut ? 1 : 0];
    models::Value value = network.value(f);
    value.name += "*0";
    const ValueId product = network.add_value(value);
    const Node times{.name = block.name + "*0", .op = "Mul", .domain = "", .inputs = {f, zero}, .outputs = {product}, .attributes = {}};
    f = product;
    network.nodes.insert(add, times);
  }
  models::validate(network);
  return network;
}

void expect_law_of_blocks(const Network& network, std::uint64_t seed) {
  Rng rng(seed, "blocks");
  const std::vector<std::string> names = random_blocks(network, rng);
  const Network without = without_blocks(network, names);
  models::validate(without);
  EXPECT_LT(models::total_macs(without), models::total_macs(network));
  EXPECT_LT(without.nodes.size(), network.nodes.size());
  expect_same_outputs(without, with_branches_times_zero(network, names), seed);
}

Policy random_ranks(const Network& network, Rng& rng) {
  Policy policy;
  for (const int n : factorable_layers(network)) {
    const std::string& name = network.nodes[static_cast<std::size_t>(n)].name;
    if (rng.below(2) == 0) policy.layers.push_back({.name = name, .rank_ratio = 0.1 + 0.4 * rng.uniform()});
  }
  return policy;
}

// The weight that the two factors make, in the shape of the layer's.
models::Tensor product_of_factors(const Network& factored, const Node& first, const Node& second, const models::Shape& shape) {
  const at::Tensor v = models::to_torch(factored.constants.at(first.inputs[1])).to(at::kDouble);
  const at::Tensor u = models::to_torch(factored.constants.at(second.inputs[1])).to(at::kDouble);
  const bool has_outputs_first = second.op == "Conv" || models::int_attribute(second, "transB", 0) == 1;
  const at::Tensor product = has_outputs_first ? at::mm(u.flatten(1), v.flatten(1)) : at::mm(v, u);
  return models::from_torch(product.to(at::kFloat).reshape(shape).contiguous());
}

// Sums of products of products in float: a few times the tolerance of sums that are only reordered.
void expect_law_of_ranks(const Network& network, std::uint64_t seed) {
  Rng rng(seed, "ranks");
  const Policy policy = random_ranks(network, rng);
  const Network factored = with_low_rank(network, policy);
  models::validate(factored);
  Network whole = network;
  const std::map<std::string, int> nodes = models::node_indices(factored);
  for (const Node& node : network.nodes) {
    const auto first = nodes.find(first_factor_name(node.name));
    if (first == nodes.end()) continue;
    const Node& second = factored.nodes[static_cast<std::size_t>(nodes.at(node.name))];
    whole.constants.at(node.inputs[1]) =
        product_of_factors(factored, factored.nodes[static_cast<std::size_t>(first->second)], second, network.value(node.inputs[1]).shape);
  }
  if (factored.nodes.size() > network.nodes.size()) {
    EXPECT_LT(models::total_macs(factored), models::total_macs(network));
  }
  expect_same_outputs(factored, whole, seed, 20 * kTolerance);
}

class ArchitectureNetworks : public testing::TestWithParam<std::string> {
 protected:
  Network network() const { return prepare_for_pruning(models::read_onnx(networks_folder() / (GetParam() + ".onnx"))); }
};

TEST_P(ArchitectureNetworks, WithoutABlockIsItsBranchTimesZero) {
  const Network whole = network();
  if (!find_residual_blocks(whole).empty()) expect_law_of_blocks(whole, 1);
}

TEST_P(ArchitectureNetworks, FactorsComputeWhatTheirProductDoes) {
  expect_law_of_ranks(network(), 1);
}

INSTANTIATE_TEST_SUITE_P(Small, ArchitectureNetworks, testing::ValuesIn(network_names()),
                         [](const auto& param_info) { return param_info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ArchitectureNetworks);

// Cut, then without blocks, then in factors, as a policy is made real; blocks are as many as the architectures' papers say have an identity
// shortcut of equal shape: each but the first of a stage that changes the shape, and two in each layer of a Transformer.
TEST(RealArchitectures, HaveTheBlocksOfTheirPapersAndObeyTheLaws) {
  for (const auto& [name, blocks] :
       {std::pair{"resnet20_cifar10", 7}, {"resnet56_cifar10", 25}, {"efficientnet_lite0", 9}, {"minilm_sst2", 12}}) {
    const Network network = data_network(name);
    if (network.nodes.empty()) GTEST_SKIP() << "LATHE_DATA holds no " << name;
    SCOPED_TRACE(name);
    EXPECT_THAT(find_residual_blocks(network), SizeIs(blocks));
    expect_law_of_blocks(network, 3);
    expect_law_of_ranks(network, 3);
  }
}

}  // namespace
}  // namespace lathe::policies

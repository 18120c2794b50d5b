#include "bench/policy_table/resnet20_lattice.h"

#include <array>
#include <string>
#include <vector>

#include "models/base/error.h"
#include "policies/pruning_criterion.h"

namespace lathe::bench {
namespace {

using policies::DecisionKind;

constexpr int kStages = 3, kEndBits = 8;
constexpr std::array<std::int64_t, kStages> kChannels{16, 32, 64};

// -1 for the first layer and the classifier.
int stage_of(const std::string& name) {
  for (int stage = 0; stage < kStages; ++stage) {
    if (name.starts_with("layer" + std::to_string(stage + 1) + ".")) return stage;
  }
  return -1;
}

policies::LayerInfo stage_info(const std::vector<policies::LayerInfo>& layers, int stage) {
  policies::LayerInfo sum{};
  for (const policies::LayerInfo& layer : layers) {
    if (stage_of(layer.name) != stage) continue;
    const policies::LayerInfo before = sum;
    sum = layer;
    sum.node = stage;
    sum.macs += before.macs;
    sum.parameters += before.parameters;
    sum.input_elements += before.input_elements;
    sum.output_elements += before.output_elements;
  }
  if (sum.out_channels != kChannels[static_cast<std::size_t>(stage)])
    throw UserError("expected a ResNet for CIFAR-10 with stages layer1, layer2 and layer3 of 16, 32 and 64 channels");
  sum.name = "stage" + std::to_string(stage + 1);
  return sum;
}

std::vector<int> kept_channels(int stage) {
  static const std::array<std::vector<int>, kStages> kKept{{{8, 12, 16}, {16, 24, 32}, {32, 40, 48, 64}}};
  return kKept[static_cast<std::size_t>(stage)];
}

struct StageChoice {
  int kept, weight_bits, activation_bits;
};

StageChoice choice_of(const policies::SearchSpace& lattice, const policies::Candidate& candidate, int stage) {
  const auto value = [&](int offset) {
    const auto d = static_cast<std::size_t>(3 * stage + offset);
    return lattice.decisions[d].values[static_cast<std::size_t>(candidate.choices[d])];
  };
  return {.kept = value(0), .weight_bits = value(1), .activation_bits = value(2)};
}

}  // namespace

policies::SearchSpace resnet20_lattice(const models::Network& network) {
  const std::vector<int> bits{2, 4, 8};
  const std::vector<policies::LayerInfo> layers = policies::describe_layers(network);
  policies::SearchSpace lattice;
  for (int stage = 0; stage < kStages; ++stage) {
    lattice.layers.push_back(stage_info(layers, stage));
    const std::string& name = lattice.layers.back().name;
    lattice.groups.push_back({stage, name, kChannels[static_cast<std::size_t>(stage)]});
    lattice.decisions.push_back({DecisionKind::kKeptChannels, stage, name + "/keep", kept_channels(stage)});
    lattice.decisions.push_back({DecisionKind::kWeightBits, stage, name + "/weight_bits", bits});
    lattice.decisions.push_back({DecisionKind::kActivationBits, stage, name + "/activation_bits", bits});
  }
  return lattice;
}

policies::Policy lattice_policy(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                const policies::Importance& importance, const policies::SearchSpace& lattice,
                                const policies::Candidate& candidate) {
  policies::Policy policy{.model_name = network.name};
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    const policies::CouplingGroup& group = analysis.groups[g];
    const int stage = stage_of(group.name);
    if (stage < 0 || !group.name.ends_with(".conv1")) continue;
    const std::int64_t kept = choice_of(lattice, candidate, stage).kept;
    if (kept == group.channels) continue;
    policy.groups.push_back({.name = group.name,
                             .keep_ratio = static_cast<double>(kept) / static_cast<double>(group.channels),
                             .channels = kept,
                             .kept = policies::most_important(importance[g], kept)});
  }
  for (const policies::LayerInfo& layer : policies::describe_layers(network)) {
    const int stage = stage_of(layer.name);
    const StageChoice choice = stage < 0 ? StageChoice{0, kEndBits, kEndBits} : choice_of(lattice, candidate, stage);
    policy.layers.push_back({.name = layer.name,
                             .weight_bits = choice.weight_bits,
                             .weight_format = "int",
                             .activation_bits = choice.activation_bits,
                             .activation_format = "int"});
  }
  return policy;
}

}  // namespace lathe::bench

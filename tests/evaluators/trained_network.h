// A network that was trained once for all tests of a program, and policies for it.
#pragma once

#include "evaluators/trainer.h"
#include "models/operators.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"
#include "policies/prune.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {

// A trained network, its data and its coupling groups, made once for all tests.
struct Trained {
  Dataset data = stripes_dataset();
  models::Network network = policies::prepare_for_pruning(
      train(small_resnet(), data.train, {.epochs = 8, .batch_size = 32, .learning_rate = 0.1, .seed = 2}).network);
  policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
};
inline const Trained& trained() {
  static const Trained instance;
  return instance;
}

inline policies::Policy uniform(double keep_ratio, int bits) {
  policies::Policy policy;
  for (const auto& group : trained().analysis.groups) {
    if (group.prunable && keep_ratio < 1) policy.groups.push_back({.name = group.name, .keep_ratio = keep_ratio});
  }
  for (const auto& node : trained().network.nodes) {
    if (bits >= 32 || models::weight_input(trained().network, node) < 0) continue;
    policy.layers.push_back(
        {.name = node.name, .weight_bits = bits, .weight_format = "int", .activation_bits = bits, .activation_format = "int"});
  }
  return policy;
}

}  // namespace lathe::evaluators

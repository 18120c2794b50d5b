// CIFAR ResNets as networks with a search space over the widths of several devices, for tests and benches of the policy scorer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hwmodels/device_spec.h"
#include "models/base/rng.h"
#include "policies/coupling_groups.h"
#include "policies/low_rank.h"
#include "policies/search_space.h"
#include "policies/workload.h"
#include "tests/policies/network_sketch.h"

namespace lathe::hwmodels {

// ResNet-(6 blocks + 2), 16-32-64 channels; a block that changes the shape has a strided convolution as its shortcut.
inline models::Network sketched_resnet(int blocks) {
  policies::NetworkSketch sketch({models::kDynamic, 3, 32, 32});
  models::ValueId x = sketch.unary("stem/relu", "Relu", sketch.conv("stem", sketch.input(), 16));
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const std::string name = "s" + std::to_string(stage) + "b" + std::to_string(block);
      const std::int64_t channels = 16LL << stage, stride = stage > 0 && block == 0 ? 2 : 1;
      const models::ValueId inner = sketch.unary(name + "/relu1", "Relu", sketch.conv(name + "/conv1", x, channels, stride));
      const models::ValueId outer = sketch.conv(name + "/conv2", inner, channels);
      const models::ValueId shortcut = stride == 1 ? x : sketch.conv(name + "/shortcut", x, channels, stride);
      x = sketch.unary(name + "/relu2", "Relu", sketch.add(name + "/add", outer, shortcut));
    }
  }
  return sketch.finish({sketch.head(x, 10)});
}

struct ScorerCase {
  ScorerCase(models::Network network_in, const std::vector<std::string>& devices, const policies::SpaceOptions& options,
             std::int64_t batch = 1)
      : network(policies::prepare_for_pruning(std::move(network_in))),
        analysis(policies::analyze_coupling(network)),
        builder(network, analysis, batch, options.rank_ratios.empty() ? std::vector<int>{} : policies::factorable_layers(network)) {
    std::vector<policies::DeviceCapabilities> capabilities;
    for (const std::string& device : devices) capabilities.push_back(load_device(device).capabilities);
    space = policies::make_search_space(network, analysis, policies::merge(capabilities), options);
  }

  policies::Candidate random_candidate(Rng& rng) const {
    policies::Candidate candidate;
    for (const policies::Decision& decision : space.decisions) {
      candidate.choices.push_back(static_cast<int>(rng.below(static_cast<std::int64_t>(decision.values.size()))));
    }
    return candidate;
  }

  models::Network network;
  policies::CouplingAnalysis analysis;
  policies::WorkloadBuilder builder;
  policies::SearchSpace space;
};

}  // namespace lathe::hwmodels

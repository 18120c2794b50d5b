// The made-up network of standard_problems.h.
#include <algorithm>
#include <cmath>

#include "models/base/check.h"
#include "models/base/rng.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::Decision;
using policies::DecisionKind;

constexpr double kChance = 0.1, kRange = 0.83;  // accuracy without any knowledge; what the uncompressed network has above it
constexpr int kDecisionsPerLayer = 3;

struct MadeUpNetwork {
  policies::SearchSpace space;
  std::vector<double> sensitivity;  // of each decision
  std::vector<double> interaction;  // of each decision with the same one of the next layer
};

// Channels double in the middle; of every layer MACs fall with width as in a ResNet.
policies::LayerInfo layer_info(int index, int layers) {
  const std::int64_t channels = index < layers / 2 ? 32 : 64, in = index == 0 ? 3 : (index <= layers / 2 ? 32 : 64);
  const std::int64_t side = index < layers / 2 ? 16 : 8;
  policies::LayerInfo info{};
  info.node = index;
  info.name = "conv" + std::to_string(index + 1);
  info.op = "Conv";
  info.parameters = channels * in * 9;
  info.macs = info.parameters * side * side;
  info.in_channels = in;
  info.out_channels = channels;
  info.kernel = 3;
  info.stride = index > 0 && index == layers / 2 ? 2 : 1;
  info.groups = 1;
  info.input_elements = in * side * side * info.stride * info.stride;
  info.output_elements = channels * side * side;
  return info;
}

MadeUpNetwork make_network(int layers, std::uint64_t seed) {
  MadeUpNetwork network;
  Rng rng(seed, "network_problem");
  for (int l = 0; l < layers; ++l) {
    const policies::LayerInfo info = layer_info(l, layers);
    const int c = static_cast<int>(info.out_channels);
    network.space.layers.push_back(info);
    network.space.groups.push_back({l, info.name, info.out_channels});
    network.space.decisions.push_back(
        {DecisionKind::kKeptChannels, l, info.name + "/keep", {c / 4, 3 * c / 8, c / 2, 5 * c / 8, 3 * c / 4, 7 * c / 8, c}});
    network.space.decisions.push_back({DecisionKind::kWeightBits, l, info.name + "/weight_bits", {2, 3, 4, 5, 6, 8, 32}});
    network.space.decisions.push_back({DecisionKind::kActivationBits, l, info.name + "/activation_bits", {3, 4, 6, 8, 32}});
    for (int k = 0; k < kDecisionsPerLayer; ++k) {
      network.sensitivity.push_back(std::pow(10.0, rng.uniform(-1, 0)) * 12.0 / layers);
      network.interaction.push_back(rng.uniform(0, 2));
    }
  }
  return network;
}

// Damage of one decision's value before its sensitivity: the removed share squared, or the quantization noise 4^-bits (relative to 2 bits).
double damage(const Decision& decision, int choice) {
  const int value = decision.values[static_cast<std::size_t>(choice)];
  if (decision.kind == DecisionKind::kKeptChannels) {
    const double removed = 1 - static_cast<double>(value) / decision.values.back();
    return removed * removed;
  }
  return value >= 32 ? 0 : 8 * std::pow(4.0, -value);
}

double loss(const MadeUpNetwork& network, const Candidate& candidate) {
  double sum = 0;
  std::vector<double> part;
  for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
    part.push_back(network.sensitivity[d] * damage(network.space.decisions[d], candidate.choices[d]));
    sum += part.back();
    if (d >= kDecisionsPerLayer) sum += network.interaction[d] * std::sqrt(part[d] * part[d - kDecisionsPerLayer]) * 0.5;
  }
  return sum;
}

double accuracy_without_noise(const MadeUpNetwork& network, const Candidate& candidate) {
  return kChance + kRange * std::exp(-loss(network, candidate));
}

// Device 0 gains from narrow widths like a bit-serial machine above a fixed share, device 1 knows only float and 8 bits but gains more from
// channels; milliseconds at 2 and 1 GMAC/s for float, and 0.01 ms a layer.
double latency_ms(const MadeUpNetwork& network, const Candidate& candidate, int device) {
  double sum = 0, kept_before = 1;
  for (std::size_t l = 0; l < network.space.layers.size(); ++l) {
    const auto value = [&](std::size_t k) {
      const Decision& decision = network.space.decisions[l * kDecisionsPerLayer + k];
      return decision.values[static_cast<std::size_t>(candidate.choices[l * kDecisionsPerLayer + k])];
    };
    const double kept = static_cast<double>(value(0)) / static_cast<double>(network.space.layers[l].out_channels);
    const double work = static_cast<double>(network.space.layers[l].macs) * kept * kept_before;
    const double bits = 0.5 * (value(1) + value(2)) / 32;
    const double width_factor = device == 0 ? 0.1 + 0.9 * bits : (std::max(value(1), value(2)) <= 8 ? 0.4 : 1.0);
    sum += work * width_factor / (device == 0 ? 2e6 : 1e6) + 0.01;
    kept_before = kept;
  }
  return sum;
}

class NetworkMetrics final : public ExactMetrics {
 public:
  NetworkMetrics(const MadeUpNetwork& network, int devices) : network_(network), devices_(devices) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    for (int device = 0; device < devices_; ++device)
      values[static_cast<std::size_t>(1 + device)] = latency_ms(network_, candidate, device);
    return true;
  }

 private:
  MadeUpNetwork network_;
  int devices_;
};

std::uint64_t code_of(const Candidate& candidate) {
  std::uint64_t code = 0;
  for (const int choice : candidate.choices) code = code * 31 + static_cast<std::uint64_t>(choice) + 1;
  return code;
}

}  // namespace

StandardProblem make_network_problem(const NetworkProblemOptions& options) {
  LATHE_CHECK(options.devices == 1 || options.devices == 2);
  const MadeUpNetwork network = make_network(options.layers, options.seed);
  Candidate full;
  for (const Decision& decision : network.space.decisions) full.choices.push_back(static_cast<int>(decision.values.size()) - 1);

  StandardProblem made;
  made.name = "network";
  made.stddev = options.noise;
  made.problem.space = network.space;
  made.problem.metrics.push_back({"accuracy", Direction::kMaximize, /*is_measured=*/true});
  for (int device = 0; device < options.devices; ++device) {
    const std::string name = device == 0 ? "narrow" : "wide";
    made.problem.metrics.push_back({"latency_ms@" + name, Direction::kMinimize});
    made.problem.fronts.push_back({name, {0, 1 + device}, {0.5, 1.05 * latency_ms(network, full, device)}});
  }
  if (options.has_sensitivity) {
    for (std::size_t d = 0; d < network.space.decisions.size(); ++d) {
      std::vector<double> drops;
      for (std::size_t v = 0; v < network.space.decisions[d].values.size(); ++v) {
        Candidate alone = full;
        alone.choices[d] = static_cast<int>(v);
        drops.push_back(accuracy_without_noise(network, full) - accuracy_without_noise(network, alone));
      }
      made.problem.sensitivity.push_back(std::move(drops));
    }
  }
  made.exact = std::make_unique<NetworkMetrics>(network, options.devices);
  made.problem.exact = made.exact.get();
  made.measured = [network, options](const Candidate& candidate) {
    Rng noise(options.seed, "network_noise", code_of(candidate));
    return std::clamp(accuracy_without_noise(network, candidate) + options.noise * noise.normal(), 0.0, 1.0);
  };
  return made;
}

}  // namespace lathe::search

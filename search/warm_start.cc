#include "search/warm_start.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "models/base/check.h"
#include "search/constraints.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::Decision;
using policies::DecisionKind;
using policies::SearchSpace;

constexpr const char* kKeep = "/keep";
constexpr const char* kWeightBits = "/weight_bits";
constexpr const char* kActivationBits = "/activation_bits";
constexpr const char* kKeptWeights = "/kept_weights/";  // and the pattern
constexpr const char* kKeptBlock = "/kept_block";
constexpr const char* kRank = "/rank";

// What a candidate says for each group and layer, by the names of decisions; groups that keep all channels and layers that keep all weights
// are left out, as are blocks that stay, layers that stay whole, and what goes with a block.
using Settings = std::map<std::string, int>;

Settings settings_of(const SearchSpace& space, const Candidate& given) {
  const Candidate candidate = policies::canonical(space, given);
  Settings settings;
  for (const policies::LayerInfo& layer : space.layers) {
    settings[layer.name + kWeightBits] = layer.weight_bits;
    settings[layer.name + kActivationBits] = layer.activation_bits;
  }
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    const Decision& decision = space.decisions[d];
    const auto subject = static_cast<std::size_t>(decision.subject);
    const int value = decision.values[static_cast<std::size_t>(candidate.choices[d])];
    if (decision.kind == DecisionKind::kKeptChannels) {
      const policies::GroupInfo& group = space.groups[subject];
      if (value < group.channels) settings[group.name + kKeep] = value;
      continue;
    }
    if (decision.kind == DecisionKind::kKeptBlock) {
      if (value == 0) settings[space.blocks[subject].name + kKeptBlock] = value;
      continue;
    }
    const std::string& layer = space.layers[subject].name;
    if (decision.kind == DecisionKind::kRank) {
      if (value < policies::kFullRank) settings[layer + kRank] = value;
      continue;
    }
    if (decision.kind == DecisionKind::kWeightBits) settings[layer + kWeightBits] = value;
    if (decision.kind == DecisionKind::kKeptWeights) {
      if (value < policies::kAllWeights) settings[layer + kKeptWeights + space.sparsity_pattern] = value;
      continue;
    }
    if (decision.kind == DecisionKind::kActivationBits || space.tie_bits) settings[layer + kActivationBits] = value;
  }
  return settings;
}

// The name by which settings know what the decision decides.
std::string setting_of(const SearchSpace& space, const Decision& decision) {
  const auto subject = static_cast<std::size_t>(decision.subject);
  if (decision.kind == DecisionKind::kKeptChannels) return space.groups[subject].name + kKeep;
  if (decision.kind == DecisionKind::kKeptBlock) return space.blocks[subject].name + kKeptBlock;
  const std::string& layer = space.layers[subject].name;
  if (decision.kind == DecisionKind::kKeptWeights) return layer + kKeptWeights + space.sparsity_pattern;
  if (decision.kind == DecisionKind::kRank) return layer + kRank;
  return layer + (decision.kind == DecisionKind::kWeightBits ? kWeightBits : kActivationBits);
}

// The candidate of `space` that says the same, if there is one.
std::optional<Candidate> candidate_of(const SearchSpace& space, const Settings& settings) {
  Candidate candidate;
  for (const Decision& decision : space.decisions) {
    const auto setting = settings.find(setting_of(space, decision));
    const int value = setting == settings.end() ? decision.values.back() : setting->second;
    const auto choice = std::find(decision.values.begin(), decision.values.end(), value);
    if (choice == decision.values.end()) return std::nullopt;
    candidate.choices.push_back(static_cast<int>(choice - decision.values.begin()));
  }
  if (settings_of(space, candidate) != settings) return std::nullopt;  // other layers, or widths that are fixed here
  return candidate;
}

}  // namespace

std::size_t measured_metric(const Problem& problem) {
  const auto metric = std::find_if(problem.metrics.begin(), problem.metrics.end(), [](const Metric& m) { return m.is_measured; });
  LATHE_CHECK(metric != problem.metrics.end()) << "nothing is measured";
  return static_cast<std::size_t>(metric - problem.metrics.begin());
}

std::vector<Trial> warm_start_trials(const Problem& problem, const SearchSpace& space, std::span<const Trial> earlier,
                                     std::size_t measured) {
  std::vector<Trial> trials;
  std::set<Candidate> seen;
  for (const Trial& trial : earlier) {
    if (trial.state != TrialState::kComplete) continue;
    const std::optional<Candidate> candidate = candidate_of(problem.space, settings_of(space, trial.candidate));
    if (!candidate || !seen.insert(*candidate).second) continue;
    ExactScore score = score_exactly(problem, *candidate);
    if (least_violation(problem, score) > 0) continue;
    Trial known{.id = static_cast<std::int64_t>(trials.size()), .agent = kWarmStartAgent, .candidate = *candidate, .stddev = trial.stddev};
    known.metrics = std::move(score.metrics);
    known.metrics[measured_metric(problem)] = trial.metrics[measured];
    trials.push_back(std::move(known));
  }
  return trials;
}

}  // namespace lathe::search

#include "policies/space_options.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "models/base/error.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

constexpr int kSupportedBits[] = {2, 3, 4, 5, 6, 7, 8, 16, 32};

void check_bits(const std::vector<int>& bits, const std::string& key, std::vector<Fault>& faults) {
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (is_supported(bits[i])) continue;
    faults.push_back({.key = key + "[" + std::to_string(i) + "]",
                      .expected = "expected one of 2, 3, 4, 5, 6, 7, 8, 16, 32",
                      .got = std::to_string(bits[i])});
  }
}

void check_ratios(const std::vector<double>& ratios, const std::string& key, std::vector<Fault>& faults) {
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    if (ratios[i] > 0 && ratios[i] <= 1) continue;
    faults.push_back({.key = key + "[" + std::to_string(i) + "]",
                      .expected = "expected a number above 0 and at most 1",
                      .got = std::to_string(ratios[i])});
  }
}

void check_sparsity(const SpaceOptions& options, const DeviceCapabilities& capabilities, std::vector<Fault>& faults) {
  const bool is_two_of_four = options.sparsity_pattern == kTwoOfFour;
  for (std::size_t i = 0; i < options.sparsity.size(); ++i) {
    const double sparsity = options.sparsity[i];
    const bool is_legal = is_two_of_four ? sparsity == 0 || sparsity == kTwoOfFourSparsity : sparsity >= 0 && sparsity < 1;
    if (is_legal) continue;
    faults.push_back({.key = "space.sparsity[" + std::to_string(i) + "]",
                      .expected = is_two_of_four ? "expected 0 or 0.5 with pattern 2:4" : "expected a number of at least 0 and below 1",
                      .got = std::to_string(sparsity)});
  }
  if (is_two_of_four && !options.sparsity.empty() && !capabilities.runs_two_of_four) {
    faults.push_back({.key = "space.sparsity_pattern",
                      .expected = "none of the devices runs 2:4 faster than dense weights; expected unstructured or 4x1",
                      .got = options.sparsity_pattern});
  }
}

// What is wrong with dropping tokens at all; "" if nothing.
std::string why_no_tokens(const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities) {
  if (capabilities.has_fixed_ranges) return "one of the devices (FPGAs, micro-controllers) cannot choose tokens as it runs";
  std::string reason = "the network has no self-attention behind which tokens can be dropped";
  for (const int group : token_groups(analysis)) {
    const CouplingGroup& tokens = analysis.groups[static_cast<std::size_t>(group)];
    if (tokens.prunable) return "";
    reason = "no tokens can be dropped behind '" + tokens.producers.front() + "': " + tokens.reason;
  }
  return reason;
}

void check_token_ratios(const SpaceOptions& options, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
                        std::vector<Fault>& faults) {
  if (options.token_keep_ratios.empty()) return;
  const std::string reason = why_no_tokens(analysis, capabilities);
  if (!reason.empty()) faults.push_back({.key = "space.token_keep_ratios", .expected = "expected none: " + reason});
  check_ratios(options.token_keep_ratios, "space.token_keep_ratios", faults);
}

}  // namespace

bool is_supported(int bits) {
  return std::find(std::begin(kSupportedBits), std::end(kSupportedBits), bits) != std::end(kSupportedBits);
}

// Greedy with one place to fall back to.
bool matches(const std::string& pattern, const std::string& name) {
  std::size_t p = 0, n = 0, star = std::string::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void check_options(const SpaceOptions& options, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
                   const std::vector<LayerInfo>& layers, const std::vector<ResidualBlock>& blocks) {
  std::vector<Fault> faults;
  check_sparsity(options, capabilities, faults);
  if (options.dynamic_activations && capabilities.has_fixed_ranges) {
    faults.push_back({.key = "space.dynamic_activations",
                      .expected = "expected false: one of the devices (FPGAs, micro-controllers) has the ranges of activations built in",
                      .got = "true"});
  }
  check_ratios(options.keep_ratios, "space.keep_ratios", faults);
  check_ratios(options.rank_ratios, "space.rank_ratios", faults);
  check_token_ratios(options, analysis, capabilities, faults);
  if (options.channel_granularity < 0) {
    faults.push_back(
        {.key = "space.channel_granularity", .expected = "expected at least 0", .got = std::to_string(options.channel_granularity)});
  }
  check_bits(options.weight_bits, "space.weight_bits", faults);
  check_bits(options.activation_bits, "space.activation_bits", faults);
  if (options.first_last_bits != 0) check_bits({options.first_last_bits}, "space.first_last_bits", faults);
  const auto& criteria = pruning_criteria();
  if (std::find(criteria.begin(), criteria.end(), options.criterion) == criteria.end()) {
    std::string known;
    for (const std::string& name : criteria) known += (known.empty() ? "" : ", ") + name;
    faults.push_back({.key = "space.criterion", .expected = "expected one of " + known, .got = options.criterion});
  }
  std::vector<std::string> names;
  for (const CouplingGroup& group : analysis.groups) names.push_back(group.name);
  for (const LayerInfo& layer : layers) names.push_back(layer.name);
  for (const ResidualBlock& block : blocks) names.push_back(block.name);
  for (std::size_t i = 0; i < options.frozen.size(); ++i) {
    const std::string& pattern = options.frozen[i];
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return matches(pattern, name); })) continue;
    const std::string near = nearest_spelling(pattern, names);
    faults.push_back({.key = "space.frozen[" + std::to_string(i) + "]",
                      .expected = std::string("expected the name of a layer") + (blocks.empty() ? " or group" : ", group or block") +
                                  (near.empty() ? "" : " (did you mean '" + near + "'?)"),
                      .got = pattern});
  }
  if (!faults.empty()) throw UserError(faults);
}

}  // namespace lathe::policies

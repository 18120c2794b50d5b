#include "evaluators/compression.h"

#include <algorithm>
#include <map>
#include <string>

#include "evaluators/calibration.h"
#include "models/fold_batch_norm.h"
#include "policies/prune.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"

namespace lathe::evaluators {
namespace {

// From this width on, rounding the weights moves no channel's mean by anything that recalibration could see.
constexpr int kUnharmfulBits = 8;

bool prunes(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept) {
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (!kept[g].empty() && static_cast<std::int64_t>(kept[g].size()) < analysis.groups[g].channels) return true;
  }
  return false;
}

bool rounds_weights(const policies::Policy& policy) {
  return std::any_of(policy.layers.begin(), policy.layers.end(), [](const auto& layer) { return layer.weight_bits < kUnharmfulBits; });
}

Rows at_most(const Rows& rows, std::int64_t count) {
  return first_rows(rows, std::min(count, rows.size()));
}

// `network` with the running statistics of `other`'s BatchNormalizations of the same names.
models::Network with_statistics_of(models::Network network, const models::Network& other) {
  std::map<std::string, const models::Node*> others;
  for (const auto& node : other.nodes) {
    if (node.op == "BatchNormalization") others[node.name] = &node;
  }
  for (const auto& node : network.nodes) {
    if (node.op != "BatchNormalization") continue;
    for (const std::size_t input : {3, 4})
      network.constants.at(node.inputs[input]) = other.constants.at(others.at(node.name)->inputs[input]);
  }
  return network;
}

// BatchNormalization statistics that fit the weights as the policy rounds them: this takes back the shift of each channel's mean and the
// change of its variance that rounding causes (the aim of the bias correction of M. Nagel et al., Data-Free Quantization, ICCV 2019,
// section 4.2, reached through BatchNormalization as in X. Sun et al., 2019). Rounding a channel symmetrically and scaling it by
// BatchNormalization afterwards commute, so the folded network gets the very same integers.
models::Network recalibrated_for_rounded_weights(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                                 const CompressionOptions& options) {
  const Rows rows = at_most(calibration, options.batch_norm_rows);
  const models::Network rounded =
      policies::bake_weight_quantization(policies::insert_fake_quantize(pruned, policy, {}, {}, options.weight_method));
  return with_statistics_of(pruned, recalibrate_batch_norm(rounded, rows, options.batch_size));
}

models::Network fold_and_quantize(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                  const CompressionOptions& options) {
  const models::Network folded = models::fold_batch_norm(pruned);
  const auto plan = policies::plan_activations(folded, policy);
  const auto ranges =
      calibrate_activations(folded, plan, at_most(calibration, options.range_rows), options.activation_method, options.batch_size);
  return policies::insert_fake_quantize(folded, policy, plan, ranges, options.weight_method);
}

}  // namespace

models::Network compress_float(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                               const Rows& calibration, const CompressionOptions& options) {
  const auto kept = policies::kept_channels(network, analysis, policy);
  if (!prunes(analysis, kept)) return network;
  const models::Network pruned = policies::prune(network, analysis, kept);
  if (!options.recalibrate_batch_norm) return pruned;
  return recalibrate_batch_norm(pruned, at_most(calibration, options.batch_norm_rows), options.batch_size);
}

models::Network quantize_simulated(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options) {
  const bool recalibrates = options.recalibrate_batch_norm && rounds_weights(policy);
  return fold_and_quantize(recalibrates ? recalibrated_for_rounded_weights(pruned, policy, calibration, options) : pruned, policy,
                           calibration, options);
}

models::Network compress_simulated(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  // Where quantization recalibrates anyway, doing it twice would be a waste of time.
  CompressionOptions pruning = options;
  pruning.recalibrate_batch_norm = options.recalibrate_batch_norm && !rounds_weights(policy);
  return quantize_simulated(compress_float(network, analysis, policy, dataset.calibration, pruning), policy, dataset.calibration, options);
}

models::Network compress_delivered(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  return policies::lower_to_qdq(compress_simulated(network, analysis, policy, dataset, options));
}

}  // namespace lathe::evaluators

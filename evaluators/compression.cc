#include "evaluators/compression.h"

#include <algorithm>
#include <map>
#include <string>

#include "evaluators/adaround.h"
#include "evaluators/bias_correction.h"
#include "evaluators/calibration.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/internal/moved_statistics.h"
#include "evaluators/low_rank_fitting.h"
#include "evaluators/sequential_reconstruction.h"
#include "evaluators/weight_rounding.h"
#include "models/base/error.h"
#include "models/fold_batch_norm.h"
#include "models/operators.h"
#include "policies/architecture.h"
#include "policies/bias_alignment.h"
#include "policies/cross_layer_equalization.h"
#include "policies/prune.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"
#include "policies/token_selection.h"
#include "policies/weight_sparsity.h"

namespace lathe::evaluators {
namespace {

using internal::Uncompressed;
using internal::with_moved_statistics;

// From this width on, rounding the weights moves no channel's mean by anything that recalibration could see.
constexpr int kUnharmfulBits = 8;

bool prunes(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept) {
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (!kept[g].empty() && static_cast<std::int64_t>(kept[g].size()) < analysis.groups[g].channels) return true;
  }
  return false;
}

// Whether the float network becomes another one.
bool cuts(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept, const policies::Policy& policy) {
  return prunes(analysis, kept) || policies::changes_architecture(policy);
}

bool rounds_weights(const policies::Policy& policy) {
  return std::any_of(policy.layers.begin(), policy.layers.end(), [](const auto& layer) { return layer.weight_bits < kUnharmfulBits; });
}

// Whether BatchNormalization makes up for what rounding to the nearest does to means. Correction of the biases does it without.
bool moves_statistics_for(const policies::Policy& policy, const CompressionOptions& options) {
  return options.recalibrate_batch_norm && !options.corrects_biases && rounds_weights(policy);
}

Rows at_most(const Rows& rows, std::int64_t count) {
  return first_rows(rows, std::min(count, rows.size()));
}

// BatchNormalization statistics that fit the weights as the policy rounds them: this takes back the shift of each channel's mean and the
// change of its variance that rounding causes (the aim of the bias correction of M. Nagel et al., Data-Free Quantization, ICCV 2019,
// section 4.2, reached through BatchNormalization as in X. Sun et al., 2019). Rounding a channel symmetrically and scaling it by
// BatchNormalization afterwards commute, so the folded network gets the very same integers.
models::Network recalibrated_for_rounded_weights(const models::Network& pruned, const Uncompressed& uncompressed,
                                                 const policies::Policy& policy, const Rows& calibration,
                                                 const CompressionOptions& options) {
  const models::Network rounded =
      policies::bake_weight_quantization(policies::insert_fake_quantize(pruned, policy, {}, {}, options.weight_method));
  return with_moved_statistics(pruned, with_calibration_statistics(rounded, calibration, options), uncompressed);
}

struct CalibratedPlan {
  policies::ActivationPlan plan;
  std::vector<policies::Range> ranges;
};

CalibratedPlan calibrated_plan(const models::Network& folded, const policies::Policy& policy, const Rows& calibration,
                               const CompressionOptions& options) {
  CalibratedPlan result{.plan = policies::plan_activations(folded, policy)};
  result.ranges = calibrate_activations(folded, result.plan, at_most(calibration, options.range_rows), options.activation_method,
                                        options.batch_size, options.device);
  return result;
}

models::Network equalized(const models::Network& folded, const Rows& calibration, const CompressionOptions& options) {
  const std::vector<models::ValueId> clipped = policies::clipped_between_layers(folded);
  return policies::equalize_across_layers(folded,
                                          channel_maxima(folded, clipped, at_most(calibration, options.range_rows), options.batch_size));
}

models::Network fold(const models::Network& pruned, const Rows& calibration, const CompressionOptions& options) {
  const models::Network folded = models::fold_batch_norm(pruned);
  return options.equalizes_across_layers ? equalized(folded, calibration, options) : folded;
}

// `floating`: what `quantized` was made from.
models::Network with_correct_biases(const models::Network& quantized, const models::Network& floating, const Rows& calibration,
                                    const CompressionOptions& options) {
  if (!options.corrects_biases) return quantized;
  return policies::align_biases(correct_biases(quantized, floating, calibration, options.range_rows));
}

models::Network fold_and_quantize(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                  const CompressionOptions& options) {
  const models::Network folded = fold(pruned, calibration, options);
  const auto [plan, ranges] = calibrated_plan(folded, policy, calibration, options);
  const models::Network quantized = policies::insert_fake_quantize(folded, policy, plan, ranges, options.weight_method);
  return with_correct_biases(quantized, folded, calibration, options);
}

// A plan of the folded network as one of the network that it was folded from: values and nodes that both have carry the same names.
policies::ActivationPlan unfolded_plan(policies::ActivationPlan plan, const models::Network& folded, const models::Network& unfolded) {
  std::map<std::string, models::ValueId> values;
  for (std::size_t id = 0; id < unfolded.values.size(); ++id) values[unfolded.values[id].name] = static_cast<models::ValueId>(id);
  const std::map<std::string, int> nodes = models::node_indices(unfolded);
  for (auto& point : plan.points) {
    point.value = values.at(folded.value(point.value).name);
    for (int& reader : point.readers) reader = nodes.at(folded.nodes[static_cast<std::size_t>(reader)].name);
  }
  return plan;
}

// BatchNormalization cannot be folded into a quantized weight that has one scale for all channels: there it is folded first, as
// equalization needs it too.
models::Network folded_where_needed(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                    const CompressionOptions& options) {
  if (options.equalizes_across_layers) return fold(pruned, calibration, options);
  const bool has_shared_scales =
      std::any_of(policy.layers.begin(), policy.layers.end(), [](const auto& layer) { return layer.weight_granularity == "tensor"; });
  return has_shared_scales ? models::fold_batch_norm(pruned) : pruned;
}

models::Network round_weights(const models::Network& quantized, const models::Network& floating, const Rows& calibration,
                              const CompressionOptions& options) {
  if (options.weight_rounding == WeightRounding::kAdaRound) return round_weights_by_adaround(quantized, floating, calibration);
  return round_weights_by_gptq(quantized, floating, calibration);
}

// Weights go to their integers beside their BatchNormalization, whose statistics then follow what that did, and which is folded last.
models::Network round_and_fold(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                               const CompressionOptions& options) {
  const models::Network floating = folded_where_needed(pruned, policy, calibration, options);
  CompressionOptions prepared = options;
  prepared.equalizes_across_layers = false;  // done above
  models::Network rounded = round_weights(quantize_trainable(floating, policy, calibration, prepared), floating, calibration, options);
  if (options.recalibrate_batch_norm && rounds_weights(policy)) {
    const Uncompressed reference{.trained = floating, .calibrated = with_calibration_statistics(floating, calibration, options)};
    const models::Network measured = with_calibration_statistics(policies::bake_weight_quantization(rounded), calibration, options);
    rounded = with_moved_statistics(std::move(rounded), measured, reference);
  }
  return with_correct_biases(policies::align_biases(models::fold_batch_norm(rounded)), models::fold_batch_norm(floating), calibration,
                             options);
}

models::Network cut(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept) {
  return prunes(analysis, kept) ? policies::prune(network, analysis, kept) : policies::lower_token_selections(network);
}

policies::KeptChannels with_all_tokens(const policies::CouplingAnalysis& analysis, policies::KeptChannels kept) {
  for (const int group : policies::token_groups(analysis)) kept[static_cast<std::size_t>(group)].clear();
  return kept;
}

// The weights and biases of `network`, by name, in `other`, which selects tokens besides.
models::Network with_weights_of(const models::Network& network, models::Network other) {
  std::map<std::string, models::ValueId> ids;
  for (const models::ValueId id : models::trainable_constants(network)) ids[network.value(id).name] = id;
  for (auto& [id, tensor] : other.constants) {
    const auto found = ids.find(other.value(id).name);
    if (found != ids.end()) tensor = network.constants.at(found->second);
  }
  return other;
}

models::Network cut_and_reconstruct(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                    const policies::KeptChannels& kept, const CompressionOptions& options) {
  const bool is_reconstructed = options.reconstruction != nullptr && prunes(analysis, kept);
  const models::Network source = is_reconstructed ? options.reconstruction->reconstruct(kept) : network;
  models::Network pruned = cut(source, analysis, kept);
  const policies::KeptChannels channels = with_all_tokens(analysis, kept);
  if (options.sequential == nullptr || !prunes(analysis, channels)) return pruned;
  if (channels == kept) return options.sequential->reconstruct(kept, pruned);
  // Layers are compared with their former selves position by position, so that all positions must be there.
  return with_weights_of(options.sequential->reconstruct(channels, policies::prune(source, analysis, channels)), std::move(pruned));
}

// The pruned network without the policy's blocks and with its layers in two factors.
models::Network rebuilt(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept,
                        const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                        const CompressionOptions& options) {
  if (!policies::changes_architecture(policy)) return pruned;
  if (options.low_rank != nullptr && options.low_rank->covers(policy)) return options.low_rank->rebuild(pruned, kept, policy);
  return LowRankFitting(network, analysis, calibration, policies::factored_layers(policy)).rebuild(pruned, kept, policy);
}

Uncompressed cut_uncompressed(const models::Network& network, const policies::CouplingAnalysis& analysis,
                              const policies::KeptChannels& kept, const policies::Policy& policy, const Rows& calibration,
                              const CompressionOptions& options) {
  const models::Network* calibrated = options.batch_norm_reference;
  return {
      .trained = policies::without_removed_blocks(cut(network, analysis, kept), policy),
      .calibrated = policies::without_removed_blocks(
          cut(calibrated != nullptr ? *calibrated : with_calibration_statistics(network, calibration, options), analysis, kept), policy)};
}

}  // namespace

models::Network with_calibration_statistics(const models::Network& network, const Rows& calibration, const CompressionOptions& options) {
  return recalibrate_batch_norm(network, at_most(calibration, options.batch_norm_rows), options.batch_size, options.device);
}

namespace {

// With statistics that fit the rounded weights of a network whose pruning is done.
models::Network recalibrated_alone(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options) {
  const Uncompressed reference{.trained = pruned, .calibrated = with_calibration_statistics(pruned, calibration, options)};
  return recalibrated_for_rounded_weights(pruned, reference, policy, calibration, options);
}

}  // namespace

models::Network cut_channels(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                             const Rows& calibration, const CompressionOptions& options) {
  const auto kept = policies::kept_channels(network, analysis, policy);
  if (!cuts(analysis, kept, policy)) return policies::lower_token_selections(network);
  const models::Network pruned =
      rebuilt(network, analysis, kept, cut_and_reconstruct(network, analysis, kept, options), policy, calibration, options);
  // Layers solved one after the other already give the means and, as far as their inputs allow, the variances of the whole network; what
  // is rebuilt after that does not.
  const bool is_solved = options.sequential != nullptr && !policies::changes_architecture(policy);
  if (!options.recalibrate_batch_norm || is_solved) return pruned;
  return with_moved_statistics(pruned, with_calibration_statistics(pruned, calibration, options),
                               cut_uncompressed(network, analysis, kept, policy, calibration, options));
}

models::Network sparsify(const models::Network& network, const policies::Policy& policy, const Rows& calibration,
                         const CompressionOptions& options) {
  if (!policies::is_sparse(policy)) return network;
  const models::Network sparse = options.sparsification == Sparsification::kSparseGpt ? sparsify_by_sparse_gpt(network, policy, calibration)
                                                                                      : policies::sparsify_by_magnitude(network, policy);
  if (!options.recalibrate_batch_norm) return sparse;
  const Uncompressed reference{.trained = network, .calibrated = with_calibration_statistics(network, calibration, options)};
  return with_moved_statistics(sparse, with_calibration_statistics(sparse, calibration, options), reference);
}

models::Network compress_float(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                               const Rows& calibration, const CompressionOptions& options) {
  return sparsify(cut_channels(network, analysis, policy, calibration, options), policy, calibration, options);
}

models::Network compress_for_rounding(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                      const policies::Policy& policy, const Rows& calibration, const CompressionOptions& options) {
  if (!moves_statistics_for(policy, options)) return compress_float(network, analysis, policy, calibration, options);
  if (policies::is_sparse(policy) || options.sequential != nullptr)
    return recalibrated_alone(compress_float(network, analysis, policy, calibration, options), policy, calibration, options);
  // One recalibration for pruning and rounding together.
  const auto kept = policies::kept_channels(network, analysis, policy);
  const models::Network pruned =
      rebuilt(network, analysis, kept, cut_and_reconstruct(network, analysis, kept, options), policy, calibration, options);
  const Uncompressed reference = cut_uncompressed(network, analysis, kept, policy, calibration, options);
  return recalibrated_for_rounded_weights(pruned, reference, policy, calibration, options);
}

models::Network quantize_simulated(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options) {
  if (options.weight_rounding != WeightRounding::kNearest) return round_and_fold(pruned, policy, calibration, options);
  if (!moves_statistics_for(policy, options)) return fold_and_quantize(pruned, policy, calibration, options);
  return fold_and_quantize(recalibrated_alone(pruned, policy, calibration, options), policy, calibration, options);
}

WeightRounding parse_weight_rounding(const std::string& name) {
  if (name == "nearest") return WeightRounding::kNearest;
  if (name == "gptq") return WeightRounding::kGptq;
  if (name == "adaround") return WeightRounding::kAdaRound;
  throw UserError(Fault{.expected = "expected nearest, gptq or adaround", .got = name});
}

models::Network quantize_trainable(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options) {
  const models::Network floating = folded_where_needed(pruned, policy, calibration, options), folded = models::fold_batch_norm(floating);
  const auto [plan, ranges] = calibrated_plan(folded, policy, calibration, options);
  return policies::insert_fake_quantize(floating, policy, unfolded_plan(plan, folded, floating), ranges, options.weight_method);
}

models::Network compress_simulated(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  const Rows& calibration = dataset.calibration;
  // What looks at what the layers of the pruned network read needs that to be right first.
  if (options.weight_rounding != WeightRounding::kNearest)
    return quantize_simulated(compress_float(network, analysis, policy, calibration, options), policy, calibration, options);
  return fold_and_quantize(compress_for_rounding(network, analysis, policy, calibration, options), policy, calibration, options);
}

models::Network compress_delivered(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  return policies::lower_to_qdq(compress_simulated(network, analysis, policy, dataset, options), options.integer_types);
}

}  // namespace lathe::evaluators

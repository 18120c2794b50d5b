#include "evaluators/compression.h"

#include <algorithm>

#include "evaluators/calibration.h"
#include "models/fold_batch_norm.h"
#include "policies/prune.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"

namespace lathe::evaluators {
namespace {

bool prunes(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept) {
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (!kept[g].empty() && static_cast<std::int64_t>(kept[g].size()) < analysis.groups[g].channels) return true;
  }
  return false;
}

Rows at_most(const Rows& rows, std::int64_t count) {
  return first_rows(rows, std::min(count, rows.size()));
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
  const models::Network folded = models::fold_batch_norm(pruned);
  const auto plan = policies::plan_activations(folded, policy);
  const auto ranges =
      calibrate_activations(folded, plan, at_most(calibration, options.range_rows), options.activation_method, options.batch_size);
  return policies::insert_fake_quantize(folded, policy, plan, ranges, options.weight_method);
}

models::Network compress_simulated(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  return quantize_simulated(compress_float(network, analysis, policy, dataset.calibration, options), policy, dataset.calibration, options);
}

models::Network compress_delivered(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options) {
  return policies::lower_to_qdq(compress_simulated(network, analysis, policy, dataset, options));
}

}  // namespace lathe::evaluators

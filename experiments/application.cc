#include "experiments/application.h"

#include <algorithm>

#include "experiments/text_table.h"
#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "models/op_counts.h"
#include "policies/architecture.h"
#include "policies/policy.h"
#include "policies/prune.h"
#include "policies/search_space.h"
#include "policies/weight_sparsity.h"

namespace lathe::experiments {

std::string other_model_note(const std::string& policy_sha256, const std::string& sha256) {
  if (policy_sha256.empty() || policy_sha256 == sha256) return "";
  return "note: the policy was made for another ONNX file (sha256 " + policy_sha256.substr(0, 12) + "..., this one has " +
         sha256.substr(0, 12) + "...)";
}

Application apply_policy(const std::string& model, const std::string& policy_file, Pruning pruning, const std::string& output) {
  const policies::Policy policy = policies::read_policy(policy_file);
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(model));
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::KeptChannels kept = policies::kept_channels(network, analysis, policy);
  for (const int group : policies::token_groups(analysis)) {
    if (pruning == Pruning::kMask && !kept[static_cast<std::size_t>(group)].empty())
      throw UserError(Fault{.file = policy_file,
                            .key = analysis.groups[static_cast<std::size_t>(group)].name,
                            .expected = "tokens are chosen for each input and cannot be zeroed; leave --masked out"});
  }
  const models::Network result =
      pruning == Pruning::kMask
          ? policies::mask(network, analysis, kept)
          : policies::sparsify_by_magnitude(policies::with_architecture(policies::prune(network, analysis, kept), policy), policy);
  models::write_onnx(result, output,
                     pruning == Pruning::kMask ? models::SparseInitializers::kNever : policies::sparse_initializers_for(policy));

  const auto count = [](std::int64_t number) { return format_count(static_cast<double>(number)); };
  Application done{.summary = count(models::total_parameters(network)) + " -> " + count(models::total_parameters(result)) +
                              " parameters, " + count(models::total_macs(network)) + " -> " + count(models::total_macs(result)) + " MACs",
                   .note = other_model_note(policy.model_sha256, network.sha256)};
  const bool has_widths = std::any_of(policy.layers.begin(), policy.layers.end(), [](const policies::LayerPolicy& layer) {
    return layer.weight_bits < 32 || layer.activation_bits < 32;
  });
  if (pruning == Pruning::kMask && policies::is_sparse(policy) && done.note.empty())
    done.note = "note: --masked zeroes channels only; sparse weights stay whole";
  if (pruning == Pruning::kMask && policies::changes_architecture(policy) && done.note.empty())
    done.note = "note: --masked zeroes channels only; all blocks stay and all layers stay whole";
  if (has_widths && done.note.empty()) done.note = "note: channels and sparsity only; widths need data, see `lathe compress`";
  return done;
}

}  // namespace lathe::experiments

#include "evaluators/weight_sparsification.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <vector>

#include "evaluators/internal/input_moments.h"
#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/settle_inputs.h"
#include "models/base/check.h"
#include "models/base/error.h"
#include "policies/layer_policies.h"
#include "policies/weight_sparsity.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using internal::UnsettledInputs;
using models::Network;

// Which weights of a block of inputs go: decided where the block begins.
class BlockMask {
 public:
  explicit BlockMask(const SparseTarget& target) : target_(target) {}

  // [outputs, 1], true where the weight of input `next` goes.
  at::Tensor column(const UnsettledInputs& inputs) {
    if (inputs.next == end_) begin(inputs);
    return pruned_.narrow(1, inputs.next - begin_, 1);
  }

 private:
  void begin(const UnsettledInputs& inputs) {
    begin_ = inputs.next;
    end_ = begin_ + width(inputs);
    const at::Tensor scores =
        (inputs.weight.narrow(1, begin_, end_ - begin_) / inputs.factor.diagonal().narrow(0, begin_, end_ - begin_)).square_();
    pruned_ = at::zeros(scores.sizes(), at::kBool);
    if (target_.block_outputs > 1) {
      pruned_ = whole_blocks(scores);
      return;
    }
    if (target_.is_two_of_four) {
      const std::int64_t gone = std::max<std::int64_t>(0, scores.size(1) - policies::kPatternKept);
      pruned_.scatter_(1, at::argsort(scores, /*dim=*/1, /*descending=*/false).narrow(1, 0, gone), true);
      return;
    }
    pruned_.view({-1}).index_fill_(0, smallest(scores, scores.size(0) * end_), true);
  }

  // scores: [outputs, inputs]. The mask of the blocks of smallest sums.
  at::Tensor whole_blocks(const at::Tensor& scores) {
    const std::int64_t size = target_.block_outputs, outputs = scores.size(0), blocks = (outputs + size - 1) / size;
    at::Tensor padded = at::zeros({blocks * size, scores.size(1)}, scores.options());
    padded.narrow(0, 0, outputs).copy_(scores);
    const at::Tensor sums = padded.view({blocks, size, scores.size(1)}).sum(1);
    at::Tensor goes = at::zeros(sums.sizes(), at::kBool);
    goes.view({-1}).index_fill_(0, smallest(sums, blocks * end_), true);
    return goes.repeat_interleave(size, 0).narrow(0, 0, outputs);
  }

  // Indices into the flat scores of a block of inputs; seen: scores of this and all earlier blocks of inputs. Evenly, with the roundings of
  // earlier blocks made up for.
  at::Tensor smallest(const at::Tensor& scores, std::int64_t seen) {
    const std::int64_t gone = seen - policies::kept_weights(seen, target_.sparsity) - gone_;
    gone_ += gone;
    return at::argsort(scores.view({-1}), /*dim=*/0, /*descending=*/false).narrow(0, 0, gone);
  }

  std::int64_t width(const UnsettledInputs& inputs) const {
    const std::int64_t left = inputs.weight.size(1) - begin_;
    if (!target_.is_two_of_four) return std::min(kSparseGptBlock, left);
    return std::min(policies::kPatternGroup, target_.pattern_period - begin_ % target_.pattern_period);
  }

  SparseTarget target_;
  std::int64_t begin_ = 0, end_ = 0;  // of the block
  std::int64_t gone_ = 0;             // of all blocks so far
  at::Tensor pruned_;                 // [outputs, block]
};

// Inputs with the channels of one position of the kernel window beside each other, as 2:4 groups them. Columns of a weight matrix lie
// channel by channel.
at::Tensor channels_together(const LinearLayer& layer) {
  return at::arange(layer.inputs(), at::kLong).view({layer.channels, layer.window}).t().reshape({-1});
}

class Sparsifying {
 public:
  Sparsifying(const Network& network, const policies::Policy& policy, const SparseGptOptions& options)
      : network_(network), policy_(policy), options_(options), result_(policies::sparsify_by_magnitude(network, policy)) {}

  Network run(const Rows& calibration) && {
    const auto entries = policies::layer_policies(network_, policy_);
    std::vector<LinearLayer> layers;
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      LinearLayer layer;
      if (entries[n] != nullptr && policies::is_sparse(*entries[n]) && internal::as_linear_layer(network_, static_cast<int>(n), layer))
        layers.push_back(layer);
    }
    const internal::MomentOptions options{.rows = options_.rows, .positions = options_.positions, .batch_size = options_.batch_size};
    for (const auto& measured : internal::measure_input_moments(network_, layers, calibration, options))
      prune(measured, *entries[static_cast<std::size_t>(measured.layer.node)]);
    return std::move(result_);
  }

 private:
  void prune(const internal::InputMoments& measured, const policies::LayerPolicy& policy) {
    const LinearLayer& layer = measured.layer;
    const internal::MeanOutlet outlet = internal::mean_outlet(result_, result_.nodes[static_cast<std::size_t>(layer.node)]);
    const bool has_outlet = outlet.constant != models::kNoValue;
    const at::Tensor moments = internal::second_moments(measured, /*is_centred=*/has_outlet);
    const at::Tensor weight = internal::weight_matrix(network_, layer);
    const SparseTarget target{.sparsity = policy.sparsity,
                              .is_two_of_four = policy.pattern == policies::kTwoOfFour,
                              .pattern_period = layer.channels,
                              .block_outputs = policies::block_outputs(policy)};
    const at::Tensor pruned = sparse_gpt(weight, moments, channels_together(layer), target, options_.damping);
    if (!pruned.defined()) return;
    result_.constants.at(layer.weight) = internal::as_weight(network_, layer, pruned);
    if (has_outlet) internal::shift_mean(result_, outlet, at::mv(weight - pruned, measured.mean));
  }

  const Network& network_;
  const policies::Policy& policy_;
  const SparseGptOptions& options_;
  Network result_;
};

}  // namespace

Sparsification parse_sparsification(const std::string& name) {
  if (name == "magnitude") return Sparsification::kMagnitude;
  if (name == "sparsegpt") return Sparsification::kSparseGpt;
  throw UserError(Fault{.expected = "expected magnitude or sparsegpt", .got = name});
}

at::Tensor sparse_gpt(const at::Tensor& weight, const at::Tensor& moments, const at::Tensor& order, const SparseTarget& target,
                      double damping) {
  BlockMask mask(target);
  return internal::settle_inputs(weight, moments, order, damping, [&](const UnsettledInputs& inputs) {
    return inputs.weight.narrow(1, inputs.next, 1).masked_fill(mask.column(inputs), 0);
  });
}

Network sparsify_by_sparse_gpt(const Network& network, const policies::Policy& policy, const Rows& calibration,
                               const SparseGptOptions& options) {
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  return Sparsifying(network, policy, options).run(calibration);
}

}  // namespace lathe::evaluators

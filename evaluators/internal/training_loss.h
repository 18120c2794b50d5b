// What training makes small: the loss against the labels (label_loss.h), mixed with what a teacher says of the same rows; for classes
//
//   loss = (1 - d) CE(labels) + d T^2 KL(softmax(t / T) | softmax(y / T)) + f mean over features of |h - h'|^2 / |h'|^2
//
// y, h: logits and features of the network; t, h' those of the teacher; d: distillation_weight; f: feature_distillation; T:
// distillation_temperature. Logits as in G. Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 2, less the targets'
// own entropy, so that agreement costs nothing. Features are the sums that residual connections end in, where both networks have them in
// the same shape: as X. Jiao et al., TinyBERT, 2020, section 3.1 (hidden states of every layer) compares them, without its projection,
// which equal shapes have no need of. Departure: relative errors, so that f means the same in every network.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "evaluators/trainer.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {

// Sums of two computed values of equal shape that both networks have, by name, in the same shape: pairs of values of the one and the other.
struct MatchedFeatures {
  std::vector<models::ValueId> first, second;
};
MatchedFeatures matched_features(const models::Network& first, const models::Network& second);

// Thread-safe.
class TrainingLoss {
 public:
  // teacher: null unless the options want one. Without features that match it is asked for its logits alone, if these are wanted.
  TrainingLoss(const models::Network& network, const models::Network* teacher, const TrainOptions& options);

  // The network (that the loss was made for) with the features that are compared behind its outputs.
  models::Network with_features(models::Network network) const;
  // The mean over the batch. inputs: as the network takes them; outputs: of with_features().
  at::Tensor operator()(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& outputs, const at::Tensor& labels) const;

 private:
  at::Tensor of_features(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& outputs,
                         const std::vector<at::Tensor>& teacher_outputs) const;

  TrainOptions options_;
  std::vector<models::ValueId> features_;
  std::optional<std::size_t> mask_input_;  // tells rows' positions that count from padding
  std::optional<models::Executor> teacher_;
};

}  // namespace lathe::evaluators::internal

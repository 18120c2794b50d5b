// Wins back accuracy that compression lost: fine-tuning of the pruned float network, then quantization-aware training through
// FakeQuantize. By `ste` the network with BatchNormalization folded is trained with straight-through gradients (B. Jacob et al., CVPR 2018,
// section 3), weight scales following the weights, activation ranges as calibrated. By `lsq` and `pact` scales are learned (see
// internal/learned_scales.h) while BatchNormalization takes the statistics of the batch; it is folded into weights and scales afterwards,
// which changes no integer of the weights.
#pragma once

#include <functional>
#include <string>

#include "evaluators/compression.h"
#include "evaluators/trainer.h"

namespace lathe::evaluators {

struct RecoveryOptions {
  double fine_tune_epochs = 2;  // 0 = none; only where the policy prunes something
  double qat_epochs = 1;        // 0 = none; only where the policy quantizes something
  double fine_tune_learning_rate = 0.02;
  double qat_learning_rate = 0.002;
  double distillation_weight = 0.5;  // from the float network's logits
  std::string qat_method = "ste";    // or "lsq", "pact"
  int scale_updates = 4;             // times an epoch that weight scales that are not learned are recomputed during QAT
  TrainOptions training;             // all else; its epochs and learning_rate are not used
  CompressionOptions compression;
  void validate() const;  // throws UserError
};

struct RecoveryProgress {
  std::string stage;  // "fine-tuning", "quantization-aware training"
  TrainProgress progress;
};

struct RecoveryResult {
  models::Network simulated;  // with FakeQuantize
  models::Network delivered;  // with QuantizeLinear/DequantizeLinear
};

// dataset.train must not be empty unless both numbers of epochs are 0 (UserError). Deterministic for training.seed.
RecoveryResult recover(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                       const Dataset& dataset, const RecoveryOptions& options,
                       const std::function<bool(const RecoveryProgress&)>& progress = {});

}  // namespace lathe::evaluators

// Wins back accuracy that compression lost, in stages: each makes a part of the policy real (channels cut, weights made sparse, widths) and
// trains. Sparsity may be reached in several steps of the cubic schedule (M. Zhu, S. Gupta, To Prune, or Not to Prune, 2017), each with its
// share of the stage's epochs and warm-up and a learning rate that begins anew (A. Renda et al., Comparing Rewinding and Fine-tuning, ICLR
// 2020); zeros stay zeros from then on. Widths come last, by quantization-aware training through FakeQuantize. By `ste` the network with
// BatchNormalization folded is trained with straight-through gradients (B. Jacob et al., CVPR 2018, section 3), weight scales following the
// weights, activation ranges as calibrated. By `lsq`, `lsq+` and `pact` scales are learned (see internal/learned_scales.h) while
// BatchNormalization takes the statistics of the batch; it is folded into weights and scales afterwards, which changes no integer of the
// weights.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evaluators/compression.h"
#include "evaluators/trainer.h"
#include "models/base/error.h"

namespace lathe::evaluators {

// What a stage makes real of the policy; always in this order.
enum class PolicyPart { kChannels, kSparsity, kWidths };
PolicyPart parse_policy_part(const std::string& name);  // "channels", "sparsity", "widths"; throws UserError
const char* to_string(PolicyPart part);

struct RecoveryStage {
  PolicyPart part = PolicyPart::kChannels;
  double epochs = 0;  // of training once that is done; none where nothing has changed since the last training
  double learning_rate = 0.02;
  int steps = 1;  // kSparsity: in how many the sparsity is reached
  bool operator==(const RecoveryStage&) const = default;
};

// What is wrong with a list of stages, by keys "stages[0].epochs": numbers out of range, parts twice or out of order.
std::vector<Fault> faults_of(const std::vector<RecoveryStage>& stages);

struct RecoveryOptions {
  // Empty: fine_tune_epochs once channels are cut and weights are sparse, then qat_epochs. Parts that are left out are made real at their
  // place, without training.
  std::vector<RecoveryStage> stages;
  double fine_tune_epochs = 2;  // 0 = none; only where the policy prunes something
  double qat_epochs = 1;        // 0 = none; only where the policy quantizes something
  double fine_tune_learning_rate = 0.02;
  double qat_learning_rate = 0.002;
  double distillation_weight = 0.5;  // from the float network's logits
  std::string qat_method = "ste";    // or "lsq", "lsq+", "pact"
  int scale_updates = 4;             // times an epoch that weight scales that are not learned are recomputed during QAT
  TrainOptions training;             // all else; its epochs and learning_rate are not used
  CompressionOptions compression;
  void validate() const;  // throws UserError
};

struct RecoveryProgress {
  std::string stage;  // "fine-tuning", "fine-tuning at sparsity step 2 of 5", "quantization-aware training"
  TrainProgress progress;
};

struct RecoveryResult {
  models::Network simulated;  // with FakeQuantize
  models::Network delivered;  // with QuantizeLinear/DequantizeLinear
};

// What was reached after each training of the float network and within each training, so that a recovery that was cut short goes on from
// there to the same network. Keys tell trainings of one recovery apart; what is loaded must be what was saved under the same arguments of
// recover().
struct RecoveryCheckpoints {
  std::function<std::optional<models::Network>(const std::string& key)> load;
  std::function<void(const std::string& key, const models::Network& network)> save;
  // The state of a training that is under way, as bytes; "" once it has ended.
  std::function<std::optional<std::string>(const std::string& key)> load_state;
  std::function<void(const std::string& key, const std::string& bytes)> save_state;
  double save_interval_s = 30;  // at least, between two states
};

// The stages as they are run: all three parts in order.
std::vector<RecoveryStage> stages_of(const RecoveryOptions& options);

// dataset.train must not be empty unless no stage has epochs (UserError). Deterministic for training.seed.
RecoveryResult recover(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                       const Dataset& dataset, const RecoveryOptions& options,
                       const std::function<bool(const RecoveryProgress&)>& progress = {}, const RecoveryCheckpoints& checkpoints = {});

}  // namespace lathe::evaluators

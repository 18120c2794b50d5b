// Everything that a config names, loaded and tied together: network, coupling groups, devices, search space, data, evaluator. Search,
// evaluate and compress all start from this.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/dataset.h"
#include "evaluators/evaluator.h"
#include "evaluators/low_rank_fitting.h"
#include "evaluators/policy_evaluator.h"
#include "evaluators/sequential_reconstruction.h"
#include "experiments/config/experiment_config.h"
#include "hwmodels/hardware_model.h"
#include "hwmodels/policy_scorer.h"
#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::experiments {

struct Target {
  std::unique_ptr<hwmodels::HardwareModel> hardware;
  std::unique_ptr<hwmodels::PolicyScorer> scorer;
  hwmodels::Prediction float_prediction;  // of the network as it is
  const std::string& name() const { return hardware->device().name; }
};

// Evaluations that run elsewhere, on the ranks of an MPI job for one.
struct Distribution {
  // Makes the evaluator that hands requests out from the one of this process, which it owns. Empty = measure here.
  std::function<std::unique_ptr<evaluators::Evaluator>(std::unique_ptr<evaluators::Evaluator>)> distribute;
  int at_once = 0;
};

// Parts borrow from each other, so it neither copies nor moves. Const after construction, and thread-safe.
class Experiment {
 public:
  // Throws UserError for whatever is wrong with the files that the config names. load_train: also the training rows.
  Experiment(const ExperimentConfig& config, bool load_train, const Distribution& distribution = {});
  Experiment(const Experiment&) = delete;
  Experiment& operator=(const Experiment&) = delete;

  const ExperimentConfig config;
  const models::Network network;   // prepared for pruning
  const std::int64_t model_bytes;  // of the ONNX file
  const policies::CouplingAnalysis analysis;
  const policies::WorkloadBuilder builder;
  std::vector<Target> targets;
  policies::SearchSpace space;
  std::optional<evaluators::Dataset> dataset;  // none where the user's command measures and no data is named

  const evaluators::Evaluator& evaluator() const { return *evaluator_; }
  // null where the user's command measures.
  const evaluators::PolicyEvaluator* builtin() const { return builtin_; }
  // The float network on the whole split, as the evaluator sees it. Throws std::runtime_error where it cannot be measured.
  evaluators::Evaluation float_accuracy(evaluators::Split split) const;

  policies::Policy to_policy(const policies::Candidate& candidate) const;
  // By any criterion, worked out at its first use. Throws UserError where the criterion needs rows and the config names no data.
  const policies::Importance& importance(const std::string& criterion) const;
  evaluators::CompressionOptions compression_options() const;
  // Whether the search is steered by agreement with the float network, not by labels.
  bool uses_agreement() const;
  // accuracy, agreement; map50, map for detectors.
  std::string metric_name() const;
  int threads() const;              // the config's, or one a processor
  int evaluations_at_once() const;  // that many threads may wait for evaluator()

 private:
  void make_evaluator();
  // What an accuracy depends on besides the policy, for the cache.
  std::string evaluation_context() const;

  std::unique_ptr<evaluators::ConsumerReconstruction> reconstruction_;  // null where the config wants none or nothing is pruned
  std::unique_ptr<evaluators::SequentialReconstruction> sequential_;    // null where the config wants another or nothing is pruned
  std::unique_ptr<evaluators::LowRankFitting> low_rank_;                // null where the space has no ranks, or without data
  std::optional<models::Network> batch_norm_reference_;                 // none without data
  std::unique_ptr<evaluators::Evaluator> evaluator_;
  const evaluators::PolicyEvaluator* builtin_ = nullptr;
  int at_once_ = 0;  // of a distribution; 0 = as many as there are threads
  mutable std::mutex importance_mutex_;
  mutable std::map<std::string, policies::Importance> importance_;  // by criterion
};

}  // namespace lathe::experiments

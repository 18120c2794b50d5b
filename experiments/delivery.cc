#include "experiments/delivery.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "models/base/error.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "policies/architecture.h"
#include "policies/packed_constants.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/quantize_network.h"
#include "policies/weight_sparsity.h"

namespace lathe::experiments {
namespace {

using evaluators::Split;

// How much accuracy is lost against the float network on the same rows (paired, where rows are known).
policies::Figure loss_figure(const evaluators::Evaluation& test, const evaluators::Evaluation& float_test) {
  policies::Figure figure{.kind = "measured", .split = "test", .samples = test.samples};
  std::optional<evaluators::PairedDifference> paired;
  if (test.detections && float_test.detections)
    paired = evaluators::paired_difference(*float_test.detections, *test.detections, test.detections->metric);
  else if (test.correct.size() == float_test.correct.size() && !test.correct.empty())
    paired = evaluators::paired_difference(float_test.correct, test.correct);
  figure.value = paired ? paired->difference : float_test.accuracy - test.accuracy;
  if (paired) figure.interval = paired->interval;
  return figure;
}

evaluators::RecoveryOptions recovery_options(const Experiment& experiment, double epochs_factor) {
  evaluators::RecoveryOptions options = experiment.config.recover.recovery;
  options.compression = experiment.compression_options();
  options.training.seed = experiment.config.seed;
  options.stages = evaluators::stages_of(options);
  for (evaluators::RecoveryStage& stage : options.stages) stage.epochs *= epochs_factor;
  return options;
}

// Calibrated, and recovered where that helps.
struct Compressed {
  evaluators::RecoveryResult networks;
  evaluators::Evaluation search;
  bool is_recovered = false;
};

Compressed compress(const Experiment& experiment, const policies::Policy& policy, Recovery recovery,
                    const std::function<bool(const evaluators::RecoveryProgress&)>& progress,
                    const evaluators::RecoveryCheckpoints& checkpoints) {
  const auto run = [&](double epochs_factor, const auto& callback) {
    return evaluators::recover(experiment.network, experiment.analysis, policy, *experiment.dataset,
                               recovery_options(experiment, epochs_factor), callback, checkpoints);
  };
  Compressed result{.networks = run(/*epochs_factor=*/0, std::function<bool(const evaluators::RecoveryProgress&)>{})};
  result.search = experiment.builtin()->measure(result.networks.simulated, {.split = Split::kSearch});
  if (recovery == Recovery::kNone || !needs_training_rows(experiment.config)) return result;
  bool is_stopped = false;
  evaluators::RecoveryResult trained =
      run(/*epochs_factor=*/1, std::function<bool(const evaluators::RecoveryProgress&)>([&](const auto& now) {
            is_stopped = progress && !progress(now);
            return !is_stopped;
          }));
  if (is_stopped) throw DeliveryStopped{};
  const evaluators::Evaluation after = experiment.builtin()->measure(trained.simulated, {.split = Split::kSearch});
  if (after.accuracy >= result.search.accuracy) result = {.networks = std::move(trained), .search = after, .is_recovered = true};
  return result;
}

// Fills in `kept` where the criterion runs the network to choose. What is wrong with the entry is left for kept_channels to say.
void choose_channels_on_rows(const Experiment& experiment, policies::Policy& policy) {
  for (policies::GroupPolicy& entry : policy.groups) {
    if (!entry.kept.empty() || !policies::needs_rows(entry.criterion)) continue;
    for (std::size_t g = 0; g < experiment.analysis.groups.size(); ++g) {
      const policies::CouplingGroup& group = experiment.analysis.groups[g];
      const std::int64_t count = policies::kept_count(entry, group);
      if (group.name == entry.name && count <= group.channels && !group.is_tokens)
        entry.kept = policies::most_important(experiment.importance(entry.criterion)[g], count);
    }
  }
}

}  // namespace

policies::Figure accuracy_figure(const evaluators::Evaluation& evaluation, const std::string& split) {
  policies::Figure figure{.value = evaluation.accuracy, .kind = "measured", .split = split, .samples = evaluation.samples};
  if (evaluation.samples > 0) figure.interval = evaluation.interval;
  return figure;
}

bool needs_training_rows(const ExperimentConfig& config) {
  const std::vector<evaluators::RecoveryStage> stages = evaluators::stages_of(config.recover.recovery);
  return config.evaluator.kind == "builtin" && config.recover.policies > 0 &&
         std::any_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.epochs > 0; });
}

std::int64_t packed_size(const Experiment& experiment, const policies::Policy& policy) {
  const policies::KeptChannels kept = policies::kept_channels(experiment.network, experiment.analysis, policy);
  const models::Network pruned = policies::prune(experiment.network, experiment.analysis, kept);
  return policies::packed_bytes(models::fold_batch_norm(policies::with_architecture(pruned, policy)), policy);
}

policies::Policy with_kept_channels(const Experiment& experiment, policies::Policy policy) {
  policy.model_name = experiment.network.name;
  policy.model_sha256 = experiment.network.sha256;
  choose_channels_on_rows(experiment, policy);
  const policies::KeptChannels kept = policies::kept_channels(experiment.network, experiment.analysis, policy);
  for (policies::GroupPolicy& group : policy.groups) {
    for (std::size_t g = 0; g < kept.size(); ++g) {
      const policies::CouplingGroup& known = experiment.analysis.groups[g];
      if (known.name != group.name) continue;
      group.kept = known.is_tokens ? std::vector<std::int64_t>{} : kept[g];
      group.channels = kept[g].empty() ? known.channels : static_cast<std::int64_t>(kept[g].size());
      group.keep_ratio = static_cast<double>(group.channels) / static_cast<double>(known.channels);
    }
  }
  return policy;
}

void add_predictions(const Experiment& experiment, policies::Policy& policy) {
  const policies::Workload workload = policies::workload_of(experiment.builder, experiment.network, experiment.analysis, policy);
  for (const Target& target : experiment.targets) {
    const hwmodels::Prediction prediction = target.hardware->predict(workload);
    if (!prediction.is_feasible) continue;
    policy.metrics.latency_ms[target.name()] = {
        .value = prediction.latency_ms, .kind = "predicted", .interval = latency_interval_ms(prediction)};
    policy.metrics.energy_mj[target.name()] = {.value = prediction.energy_mj, .kind = "predicted"};
  }
}

Delivery deliver(const Experiment& experiment, const policies::Policy& given, const evaluators::Evaluation& float_test, Recovery recovery,
                 const std::function<bool(const evaluators::RecoveryProgress&)>& progress,
                 const evaluators::RecoveryCheckpoints& checkpoints) {
  Delivery delivery{.policy = with_kept_channels(experiment, given)};
  policies::PolicyMetrics& metrics = delivery.policy.metrics;
  metrics = {};
  add_predictions(experiment, delivery.policy);
  std::int64_t packed_bytes = 0;
  if (experiment.builtin() != nullptr) {
    const Compressed compressed = compress(experiment, delivery.policy, recovery, progress, checkpoints);
    delivery.is_recovered = compressed.is_recovered;
    delivery.search = compressed.search;
    delivery.onnx = models::serialize_onnx(compressed.networks.delivered, policies::sparse_initializers_for(delivery.policy));
    const models::Network delivered = models::parse_onnx(delivery.onnx, "the compressed network");
    delivery.test = experiment.builtin()->measure(delivered, {.split = Split::kTest});
    packed_bytes = policies::packed_constants(delivered, delivery.policy).bytes();
    metrics.size_bytes = static_cast<std::int64_t>(delivery.onnx.size());
  } else {
    delivery.search.is_ok = false;
    delivery.test = experiment.evaluator().evaluate({.policy = delivery.policy, .split = Split::kTest});
    packed_bytes = packed_size(experiment, delivery.policy);
  }
  if (!delivery.test.is_ok) throw std::runtime_error("the compressed network could not be evaluated: " + delivery.test.error);
  metrics.accuracy = accuracy_figure(delivery.test, "test");
  metrics.accuracy_loss = loss_figure(delivery.test, float_test);
  metrics.packed_bytes = packed_bytes;
  return delivery;
}

}  // namespace lathe::experiments

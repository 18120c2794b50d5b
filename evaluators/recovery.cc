#include "evaluators/recovery.h"

#include <algorithm>

#include "evaluators/internal/learned_scales.h"
#include "evaluators/internal/training_loop.h"
#include "evaluators/internal/weight_scales.h"
#include "models/base/error.h"
#include "models/fold_batch_norm.h"
#include "models/operators.h"
#include "policies/bias_alignment.h"
#include "policies/quantize_network.h"
#include "policies/weight_formats.h"

namespace lathe::evaluators {
namespace {

bool is_quantized(const models::Network& network) {
  return std::any_of(network.nodes.begin(), network.nodes.end(), [](const auto& node) { return node.op == "FakeQuantize"; });
}

// Weights in 16-bit float formats train in float32; this is what is delivered of them.
models::Network with_rounded_float_weights(models::Network network, const policies::Policy& policy) {
  for (const auto& layer : policy.layers) {
    if (layer.weight_format == "int" || layer.weight_bits >= 32) continue;
    const auto node = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const auto& n) { return n.name == layer.name; });
    const int input = node == network.nodes.end() ? -1 : models::weight_input(network, *node);
    if (input < 0) continue;
    models::Tensor& weight = network.constants.at(node->inputs[static_cast<std::size_t>(input)]);
    weight = policies::round_to_format(weight, layer.weight_format, layer.weight_bits);
  }
  return network;
}

TrainCallback staged(const std::string& stage, const std::function<bool(const RecoveryProgress&)>& progress) {
  if (!progress) return {};
  return [stage, &progress](const TrainProgress& inner) { return progress({.stage = stage, .progress = inner}); };
}

// The second stage: what it is given, and its two ways.
struct QuantizedTraining {
  const policies::Policy& policy;
  const Dataset& dataset;
  const RecoveryOptions& options;
  const models::Network* teacher;
  const std::function<bool(const RecoveryProgress&)>& progress;

  // `simulated`: folded, with FakeQuantize.
  models::Network with_calibrated_scales(const models::Network& simulated) const {
    TrainOptions training = training_options();
    training.batch_statistics = false;  // what BatchNormalization could not be folded must stay what calibration saw
    return run(simulated, training, [this](const models::Executor& executor, std::int64_t step) { follow_weights(executor, step); });
  }

  // `floating`: pruned, with its BatchNormalization.
  models::Network with_learned_scales(const models::Network& floating) const {
    const models::Network quantized = quantize_trainable(floating, policy, dataset.calibration, options.compression);
    const models::Network learning =
        options.qat_method == "lsq" ? internal::with_lsq_scales(quantized) : internal::with_pact_scales(quantized);
    const auto trained = run(learning, training_options(), [this](const models::Executor& executor, std::int64_t step) {
      internal::keep_scales_positive(executor);
      follow_weights(executor, step);
    });
    return models::fold_batch_norm(internal::with_fixed_scales(trained));
  }

 private:
  TrainOptions training_options() const {
    TrainOptions training = options.training;
    training.distillation_weight = options.distillation_weight;
    training.epochs = options.qat_epochs;
    training.learning_rate = options.qat_learning_rate;
    return training;
  }

  void follow_weights(const models::Executor& executor, std::int64_t step) const {
    const std::int64_t interval =
        std::max<std::int64_t>(1, internal::steps_per_epoch(dataset.train.size(), options.training.batch_size) / options.scale_updates);
    if (step % interval == 0) internal::refresh_weight_scales(executor, options.compression.weight_method);
  }

  models::Network run(const models::Network& network, const TrainOptions& training,
                      std::function<void(const models::Executor&, std::int64_t)> after_step) const {
    const internal::TrainingHooks hooks{.after_step = std::move(after_step)};
    return internal::run_training(network, dataset.train, training, staged("quantization-aware training", progress), teacher, hooks)
        .network;
  }
};

}  // namespace

void RecoveryOptions::validate() const {
  std::vector<Fault> faults;
  const auto require = [&](bool is_right, const std::string& key, const std::string& expected, double got) {
    if (!is_right) faults.push_back({.key = key, .expected = "expected " + expected, .got = std::to_string(got)});
  };
  require(fine_tune_epochs >= 0, "fine_tune_epochs", "a number not below 0", fine_tune_epochs);
  require(qat_epochs >= 0, "qat_epochs", "a number not below 0", qat_epochs);
  require(fine_tune_learning_rate > 0, "fine_tune_learning_rate", "a number above 0", fine_tune_learning_rate);
  require(qat_learning_rate > 0, "qat_learning_rate", "a number above 0", qat_learning_rate);
  require(distillation_weight >= 0 && distillation_weight <= 1, "distillation_weight", "a number in [0, 1]", distillation_weight);
  if (qat_method != "ste" && qat_method != "lsq" && qat_method != "pact")
    faults.push_back({.key = "qat_method", .expected = "expected ste, lsq or pact", .got = qat_method});
  require(scale_updates >= 1, "scale_updates", "at least 1", scale_updates);
  if (!faults.empty()) throw UserError(faults);
}

RecoveryResult recover(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                       const Dataset& dataset, const RecoveryOptions& options,
                       const std::function<bool(const RecoveryProgress&)>& progress) {
  options.validate();
  if (dataset.train.size() == 0 && (options.fine_tune_epochs > 0 || options.qat_epochs > 0)) {
    throw UserError("recovery needs labelled training rows, but data set '" + dataset.name +
                    "' has none; set its epochs to 0 or add training data");
  }
  TrainOptions training = options.training;
  training.distillation_weight = options.distillation_weight;
  const models::Network* teacher = options.distillation_weight > 0 ? &network : nullptr;

  models::Network floating = compress_float(network, analysis, policy, dataset.calibration, options.compression);
  bool goes_on = true;
  if (options.fine_tune_epochs > 0 && !(floating == network)) {
    training.epochs = options.fine_tune_epochs;
    training.learning_rate = options.fine_tune_learning_rate;
    auto tuned = internal::run_training(floating, dataset.train, training, staged("fine-tuning", progress), teacher, {});
    goes_on = !tuned.summary.is_stopped;
    floating = std::move(tuned.network);
  }
  const QuantizedTraining qat{.policy = policy, .dataset = dataset, .options = options, .teacher = teacher, .progress = progress};
  models::Network simulated = quantize_simulated(floating, policy, dataset.calibration, options.compression);
  if (goes_on && options.qat_epochs > 0 && is_quantized(simulated)) {
    models::Network trained = options.qat_method == "ste" ? qat.with_calibrated_scales(simulated) : qat.with_learned_scales(floating);
    // Training moved biases off the multiples of s_input * s_weight that integer arithmetic can add.
    simulated = policies::align_biases(with_rounded_float_weights(std::move(trained), policy));
  }
  models::Network delivered = policies::lower_to_qdq(simulated);
  return {.simulated = std::move(simulated), .delivered = std::move(delivered)};
}

}  // namespace lathe::evaluators

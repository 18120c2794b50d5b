#include "evaluators/recovery.h"

#include <algorithm>
#include <map>

#include "evaluators/internal/learned_scales.h"
#include "evaluators/internal/training_loop.h"
#include "evaluators/internal/weight_scales.h"
#include "models/base/error.h"
#include "models/base/rng.h"
#include "models/fold_batch_norm.h"
#include "models/operators.h"
#include "policies/bias_alignment.h"
#include "policies/low_rank.h"
#include "policies/quantize_network.h"
#include "policies/weight_formats.h"
#include "policies/weight_sparsity.h"

namespace lathe::evaluators {
namespace {

bool is_quantized(const models::Network& network) {
  return std::any_of(network.nodes.begin(), network.nodes.end(),
                     [](const auto& node) { return node.op == "FakeQuantize" || node.op == "DynamicFakeQuantize"; });
}

// Weights in 16-bit float formats train in float32; this is what is delivered of them.
models::Network with_rounded_float_weights(models::Network network, const policies::Policy& policy) {
  std::map<std::string, const policies::LayerPolicy*> rounded;
  for (const auto& layer : policy.layers) {
    if (layer.weight_format != "int" && layer.weight_bits < 32) rounded[layer.name] = &layer;
  }
  for (const auto& node : network.nodes) {
    const auto layer = rounded.find(policies::factored_layer(node.name));
    const int input = layer == rounded.end() ? -1 : models::weight_input(network, node);
    if (input < 0) continue;
    models::Tensor& weight = network.constants.at(node.inputs[static_cast<std::size_t>(input)]);
    weight = policies::round_to_format(weight, layer->second->weight_format, layer->second->weight_bits);
  }
  return network;
}

TrainCallback staged(const std::string& stage, const std::function<bool(const RecoveryProgress&)>& progress) {
  if (!progress) return {};
  return [stage, &progress](const TrainProgress& inner) { return progress({.stage = stage, .progress = inner}); };
}

internal::TrainingHooks resumable(const std::string& key, const RecoveryCheckpoints& checkpoints) {
  internal::TrainingHooks hooks{.save_interval_s = checkpoints.save_interval_s};
  if (checkpoints.load_state) hooks.load_state = [key, &checkpoints] { return checkpoints.load_state(key); };
  if (checkpoints.save_state) hooks.save_state = [key, &checkpoints](const std::string& bytes) { checkpoints.save_state(key, bytes); };
  return hooks;
}

// Stages before the widths: the float network as it becomes smaller and is trained.
class FloatTraining {
 public:
  struct Given {
    const models::Network& network;
    const policies::CouplingAnalysis& analysis;
    const policies::Policy& policy;
    const Dataset& dataset;
    const RecoveryOptions& options;
    const models::Network* teacher;
    const std::function<bool(const RecoveryProgress&)>& progress;
    const RecoveryCheckpoints& checkpoints;
  };
  explicit FloatTraining(const Given& given) : given_(given), floating_(given.network) {}

  void run(const RecoveryStage& stage) {
    if (stage.part == PolicyPart::kChannels) {
      become(cut_channels(floating_, given_.analysis, given_.policy, given_.dataset.calibration, given_.options.compression));
      train(stage, 1);
      return;
    }
    RecoveryStage used = stage;
    // Where nothing is reached in steps, as with 2:4, the first one has all epochs.
    if (policies::at_sparsity_step(given_.policy, 1, stage.steps) == given_.policy) used.steps = 1;
    for (int step = 1; step <= used.steps; ++step) {
      const policies::Policy policy = policies::at_sparsity_step(given_.policy, step, used.steps);
      become(sparsify(floating_, policy, given_.dataset.calibration, given_.options.compression));
      train(used, step);
    }
  }

  const models::Network& network() const { return floating_; }
  bool is_stopped() const { return is_stopped_; }

 private:
  void become(models::Network network) {
    is_untrained_ = is_untrained_ || !(network == floating_);
    floating_ = std::move(network);
  }

  // Where something has changed since the last training.
  void train(const RecoveryStage& stage, int step) {
    if (stage.epochs <= 0 || !is_untrained_ || is_stopped_) return;
    is_untrained_ = false;
    const std::string key = std::string(to_string(stage.part)) + " " + std::to_string(step) + " of " + std::to_string(stage.steps);
    if (given_.checkpoints.load) {
      if (std::optional<models::Network> reached = given_.checkpoints.load(key)) {
        floating_ = *std::move(reached);
        return;
      }
    }
    const std::string name = stage.steps == 1 ? "fine-tuning" : "fine-tuning at " + key;
    auto trained = internal::run_training(floating_, given_.dataset.train, training_options(stage, key), staged(name, given_.progress),
                                          given_.teacher, resumable(key, given_.checkpoints));
    is_stopped_ = trained.summary.is_stopped;
    floating_ = std::move(trained.network);
    if (is_stopped_) return;
    if (given_.checkpoints.save) given_.checkpoints.save(key, floating_);
    if (given_.checkpoints.save_state) given_.checkpoints.save_state(key, "");
  }

  TrainOptions training_options(const RecoveryStage& stage, const std::string& key) const {
    TrainOptions training = given_.options.training;
    training.distillation_weight = given_.options.distillation_weight;
    training.epochs = stage.epochs / stage.steps;
    training.warmup_epochs /= stage.steps;
    training.learning_rate = stage.learning_rate;
    training.keeps_zeros = policies::is_sparse(given_.policy);
    if (stage.steps > 1) training.seed = Rng(training.seed, key)();  // each step its own order and augmentation
    return training;
  }

  Given given_;
  models::Network floating_;
  bool is_untrained_ = false, is_stopped_ = false;
};

// The last stage: what it is given, and its two ways.
struct QuantizedTraining {
  const RecoveryStage& stage;
  const policies::Policy& policy;
  const Dataset& dataset;
  const RecoveryOptions& options;
  const models::Network* teacher;
  const std::function<bool(const RecoveryProgress&)>& progress;
  const RecoveryCheckpoints& checkpoints;

  // The pruned network `floating`, with its BatchNormalization, at the policy's widths: folded, with FakeQuantize.
  models::Network run(const models::Network& floating, bool trains) const {
    if (trains && options.qat_method != "ste") {  // begins from the float weights: nothing is rounded beforehand
      const models::Network quantized = quantize_trainable(floating, policy, dataset.calibration, options.compression);
      if (is_quantized(quantized)) return finished(with_learned_scales(quantized));
    }
    models::Network simulated = quantize_simulated(floating, policy, dataset.calibration, options.compression);
    return trains && is_quantized(simulated) ? finished(with_calibrated_scales(simulated)) : simulated;
  }

 private:
  // Training moved biases off the multiples of s_input * s_weight that integer arithmetic can add.
  models::Network finished(models::Network network) const {
    return policies::align_biases(with_rounded_float_weights(std::move(network), policy));
  }

  // `simulated`: folded, with FakeQuantize.
  models::Network with_calibrated_scales(const models::Network& simulated) const {
    TrainOptions training = training_options();
    training.batch_statistics = false;  // what BatchNormalization could not be folded must stay what calibration saw
    return trained(simulated, training, [this](const models::Executor& executor, std::int64_t step) { follow_weights(executor, step); });
  }

  // `quantized`: by quantize_trainable().
  models::Network with_learned_scales(const models::Network& quantized) const {
    const auto learn = options.qat_method == "lsq"    ? internal::with_lsq_scales
                       : options.qat_method == "lsq+" ? internal::with_lsq_plus_scales
                                                      : internal::with_pact_scales;
    const auto learnt = trained(learn(quantized), training_options(), [this](const models::Executor& executor, std::int64_t step) {
      internal::keep_scales_legal(executor);
      follow_weights(executor, step);
    });
    return models::fold_batch_norm(internal::with_fixed_scales(learnt));
  }

  TrainOptions training_options() const {
    TrainOptions training = options.training;
    training.distillation_weight = options.distillation_weight;
    training.epochs = stage.epochs;
    training.learning_rate = stage.learning_rate;
    training.keeps_zeros = policies::is_sparse(policy);
    return training;
  }

  void follow_weights(const models::Executor& executor, std::int64_t step) const {
    const std::int64_t interval =
        std::max<std::int64_t>(1, internal::steps_per_epoch(dataset.train.size(), options.training.batch_size) / options.scale_updates);
    if (step % interval == 0) internal::refresh_weight_scales(executor, options.compression.weight_method);
  }

  models::Network trained(const models::Network& network, const TrainOptions& training,
                          std::function<void(const models::Executor&, std::int64_t)> after_step) const {
    const std::string key = to_string(stage.part);
    internal::TrainingHooks hooks = resumable(key, checkpoints);
    hooks.after_step = std::move(after_step);
    auto result = internal::run_training(network, dataset.train, training, staged("quantization-aware training", progress), teacher, hooks);
    if (checkpoints.save_state && !result.summary.is_stopped) checkpoints.save_state(key, "");
    return std::move(result.network);
  }
};

}  // namespace

PolicyPart parse_policy_part(const std::string& name) {
  for (const PolicyPart part : {PolicyPart::kChannels, PolicyPart::kSparsity, PolicyPart::kWidths}) {
    if (name == to_string(part)) return part;
  }
  throw UserError(Fault{.expected = "expected channels, sparsity or widths", .got = name});
}

const char* to_string(PolicyPart part) {
  return part == PolicyPart::kChannels ? "channels" : part == PolicyPart::kSparsity ? "sparsity" : "widths";
}

std::vector<RecoveryStage> stages_of(const RecoveryOptions& options) {
  if (options.stages.empty()) {
    return {{.part = PolicyPart::kChannels},
            {.part = PolicyPart::kSparsity, .epochs = options.fine_tune_epochs, .learning_rate = options.fine_tune_learning_rate},
            {.part = PolicyPart::kWidths, .epochs = options.qat_epochs, .learning_rate = options.qat_learning_rate}};
  }
  std::vector<RecoveryStage> stages{{.part = PolicyPart::kChannels}, {.part = PolicyPart::kSparsity}, {.part = PolicyPart::kWidths}};
  for (const RecoveryStage& stage : options.stages) stages[static_cast<std::size_t>(stage.part)] = stage;
  return stages;
}

std::vector<Fault> faults_of(const std::vector<RecoveryStage>& stages) {
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const RecoveryStage& stage = stages[i];
    const auto require = [&](bool is_right, const std::string& field, const std::string& expected, const std::string& got) {
      if (!is_right)
        faults.push_back({.key = "stages[" + std::to_string(i) + "]." + field, .expected = "expected " + expected, .got = got});
    };
    require(stage.epochs >= 0, "epochs", "a number not below 0", std::to_string(stage.epochs));
    require(stage.learning_rate > 0, "learning_rate", "a number above 0", std::to_string(stage.learning_rate));
    require(stage.steps == 1 || (stage.steps > 1 && stage.part == PolicyPart::kSparsity), "steps",
            "1, or more for sparsity, which alone is reached in steps", std::to_string(stage.steps));
    require(i == 0 || stage.part > stages[i - 1].part, "part", "channels, sparsity, widths in that order, each at most once",
            to_string(stage.part));
  }
  return faults;
}

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
  if (qat_method != "ste" && qat_method != "lsq" && qat_method != "lsq+" && qat_method != "pact")
    faults.push_back({.key = "qat_method", .expected = "expected ste, lsq, lsq+ or pact", .got = qat_method});
  require(scale_updates >= 1, "scale_updates", "at least 1", scale_updates);
  for (Fault& fault : faults_of(stages)) faults.push_back(std::move(fault));
  if (!faults.empty()) throw UserError(faults);
}

RecoveryResult recover(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                       const Dataset& dataset, const RecoveryOptions& options, const std::function<bool(const RecoveryProgress&)>& progress,
                       const RecoveryCheckpoints& checkpoints) {
  options.validate();
  const std::vector<RecoveryStage> stages = stages_of(options);
  const bool trains = std::any_of(stages.begin(), stages.end(), [](const RecoveryStage& stage) { return stage.epochs > 0; });
  if (dataset.train.size() == 0 && trains) {
    throw UserError("recovery needs labelled training rows, but data set '" + dataset.name +
                    "' has none; set its epochs to 0 or add training data");
  }
  const bool distils = options.distillation_weight > 0 || options.training.feature_distillation > 0;
  const models::Network* teacher = distils ? &network : nullptr;
  FloatTraining floating({.network = network,
                          .analysis = analysis,
                          .policy = policy,
                          .dataset = dataset,
                          .options = options,
                          .teacher = teacher,
                          .progress = progress,
                          .checkpoints = checkpoints});
  floating.run(stages[0]);
  floating.run(stages[1]);
  const QuantizedTraining qat{.stage = stages[2],
                              .policy = policy,
                              .dataset = dataset,
                              .options = options,
                              .teacher = teacher,
                              .progress = progress,
                              .checkpoints = checkpoints};
  models::Network simulated = qat.run(floating.network(), /*trains=*/!floating.is_stopped() && stages[2].epochs > 0);
  models::Network delivered = policies::lower_to_qdq(simulated, options.compression.integer_types);
  return {.simulated = std::move(simulated), .delivered = std::move(delivered)};
}

}  // namespace lathe::evaluators

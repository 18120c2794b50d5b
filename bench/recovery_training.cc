// What recovery training wins back: compresses a CIFAR-10 network by a policy, trains it, lowers it to QuantizeLinear/DequantizeLinear, and
// measures the delivered network on the 5,000 held-out images (the second half of the test file), once for each seed; settings are to be
// chosen by `search_accuracy`, of the first half.
//
//   recovery_training MODEL.onnx DATA_FOLDER POLICY.json [--qat-method lsq --qat-epochs 20 --device cuda --seeds 1 2 3 ...]
//
// DATA_FOLDER holds data_batch_1.bin to data_batch_5.bin and test_batch.bin. One JSON line a seed on standard output, progress on standard
// error. Standard augmentation: crops of the image padded by 4 pixels, mirrored half of the time.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/evaluator.h"
#include "evaluators/recovery.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "models/op_counts.h"
#include "policies/policy.h"
#include "policies/prune.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"
#include "policies/weight_sparsity.h"

namespace {

using namespace lathe;

struct Arguments {
  std::string model, data, policy, output, rounding = "nearest", sparsification = "magnitude";
  double global_sparsity = 0;
  std::vector<std::string> stages;
  std::vector<std::uint64_t> seeds{1};
  evaluators::RecoveryOptions recovery;
};

void add_options(CLI::App& app, Arguments& arguments) {
  evaluators::RecoveryOptions& recovery = arguments.recovery;
  evaluators::TrainOptions& training = recovery.training;
  training.augmentation = {.crop_padding = 4, .horizontal_flip = true};
  recovery.fine_tune_epochs = recovery.qat_epochs = 0;
  recovery.distillation_weight = 0;
  app.add_option("model", arguments.model)->required();
  app.add_option("data", arguments.data)->required();
  app.add_option("policy", arguments.policy)->required();
  app.add_option("--seeds", arguments.seeds);
  app.add_option("--fine-tune-epochs", recovery.fine_tune_epochs);
  app.add_option("--fine-tune-learning-rate", recovery.fine_tune_learning_rate);
  app.add_option("--qat-epochs", recovery.qat_epochs);
  app.add_option("--qat-learning-rate", recovery.qat_learning_rate);
  app.add_option("--qat-method", recovery.qat_method);
  app.add_option("--distillation", recovery.distillation_weight);
  app.add_option("--optimizer", training.optimizer);
  app.add_option("--batch-size", training.batch_size);
  app.add_option("--weight-decay", training.weight_decay);
  app.add_option("--label-smoothing", training.label_smoothing);
  app.add_option("--ema-decay", training.ema_decay);
  app.add_option("--device", training.device);
  app.add_option("--weight-rounding", arguments.rounding);
  app.add_option("--global-sparsity", arguments.global_sparsity, "Of all layers together, shared out by LAMP scores");
  app.add_option("--sparsification", arguments.sparsification);
  app.add_option("--stages", arguments.stages, "PART:EPOCHS:LEARNING_RATE[:STEPS] each, PART channels, sparsity or widths");
  app.add_option("--out", arguments.output, "ONNX file of the last seed's delivered network");
}

// The policy with every layer unstructured sparse, so that `sparsity` of the network's weights are gone.
policies::Policy with_global_sparsity(const models::Network& network, policies::Policy policy, double sparsity) {
  if (sparsity == 0) return policy;
  std::vector<std::string> layers;
  for (const policies::LayerInfo& layer : policies::describe_layers(network)) layers.push_back(layer.name);
  const std::vector<double> sparsities = policies::global_sparsities(network, layers, sparsity);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto is_it = [&](const policies::LayerPolicy& entry) { return entry.name == layers[l]; };
    auto entry = std::find_if(policy.layers.begin(), policy.layers.end(), is_it);
    if (entry == policy.layers.end()) entry = policy.layers.insert(policy.layers.end(), {.name = layers[l]});
    entry->sparsity = sparsities[l];
    entry->pattern = "unstructured";
  }
  return policy;
}

// "sparsity:20:0.05:5"
evaluators::RecoveryStage parse_stage(const std::string& text) {
  std::istringstream fields(text);
  std::string part;
  std::getline(fields, part, ':');
  evaluators::RecoveryStage stage{.part = evaluators::parse_policy_part(part)};
  char colon = 0;
  fields >> stage.epochs >> colon >> stage.learning_rate;
  if (!fields) throw UserError("--stages: expected PART:EPOCHS:LEARNING_RATE[:STEPS], got '" + text + "'");
  fields >> colon >> stage.steps;
  return stage;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments),
        network_(policies::prepare_for_pruning(models::read_onnx(arguments.model))),
        analysis_(policies::analyze_coupling(network_)),
        policy_(with_global_sparsity(network_, policies::read_policy(arguments.policy), arguments.global_sparsity)),
        data_(evaluators::load_dataset({.kind = "cifar10",
                                        .path = arguments.data,
                                        .mean = {0.485F, 0.456F, 0.406F},
                                        .stddev = {0.229F, 0.224F, 0.225F},
                                        .load_train = true})),
        reconstruction_(network_, analysis_, data_.calibration),
        reference_(evaluators::with_calibration_statistics(network_, data_.calibration)),
        float_correct_(correct(network_, data_.test)) {}

  nlohmann::json run(std::uint64_t seed) const {
    const auto start = std::chrono::steady_clock::now();
    evaluators::RecoveryOptions options = arguments_.recovery;
    options.training.seed = seed;
    options.compression.reconstruction = &reconstruction_;
    options.compression.batch_norm_reference = &reference_;
    options.compression.weight_rounding = evaluators::parse_weight_rounding(arguments_.rounding);
    options.compression.sparsification = evaluators::parse_sparsification(arguments_.sparsification);
    const auto result = evaluators::recover(network_, analysis_, policy_, data_, options, [&](const evaluators::RecoveryProgress& now) {
      if (now.progress.step % 100 < 20)
        std::cerr << now.stage << " epoch " << now.progress.epoch << " loss " << now.progress.loss << ' ' << seconds_since(start) << " s\n";
      return true;
    });
    const double training_seconds = seconds_since(start);
    if (!arguments_.output.empty()) models::write_onnx(result.delivered, arguments_.output);
    const auto now_correct = correct(result.delivered, data_.test), search_correct = correct(result.delivered, data_.search);
    const auto loss = evaluators::paired_difference(float_correct_, now_correct);
    const auto share = [](const std::vector<std::uint8_t>& rows) {
      return static_cast<double>(std::count(rows.begin(), rows.end(), 1)) / static_cast<double>(rows.size());
    };
    const auto kept = policies::kept_channels(network_, analysis_, policy_);
    const models::Network pruned = policies::prune(network_, analysis_, kept);
    return {{"seed", seed},
            {"float_accuracy", share(float_correct_)},
            {"accuracy", share(now_correct)},
            {"search_accuracy", share(search_correct)},
            {"loss_points", 100 * loss.difference},
            {"interval_points", {100 * loss.interval.first, 100 * loss.interval.second}},
            {"samples", now_correct.size()},
            {"macs_share", static_cast<double>(models::total_macs(pruned)) / static_cast<double>(models::total_macs(network_))},
            {"packed_bytes", policies::packed_bytes(models::fold_batch_norm(pruned), policy_)},
            {"training_seconds", training_seconds}};
  }

 private:
  static std::vector<std::uint8_t> correct(const models::Network& network, const evaluators::Rows& rows) {
    return evaluators::matches(evaluators::predict(models::Executor(network), rows), evaluators::labels_of(rows));
  }

  const Arguments& arguments_;
  models::Network network_;
  policies::CouplingAnalysis analysis_;
  policies::Policy policy_;
  evaluators::Dataset data_;
  evaluators::ConsumerReconstruction reconstruction_;
  models::Network reference_;
  std::vector<std::uint8_t> float_correct_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Accuracy of a compressed CIFAR-10 network after recovery training");
  Arguments arguments;
  add_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    for (const std::string& stage : arguments.stages) arguments.recovery.stages.push_back(parse_stage(stage));
    const Bench bench(arguments);
    for (const std::uint64_t seed : arguments.seeds) std::cout << bench.run(seed).dump() << std::endl;
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

// What compression costs and recovery training wins back: compresses a network by a policy, trains it, lowers it to QuantizeLinear and
// DequantizeLinear, and measures the delivered network on the held-out rows (of CIFAR-10 the second half of the test file), once for each
// policy and seed.
//
//   recovery_training MODEL.onnx DATA_FOLDER POLICY.json... [--qat-method lsq --qat-epochs 20 --device cuda --seeds 1 2 3 ...]
//
// DATA_FOLDER holds CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin, unless --kind names another data set. One JSON line
// a seed on standard output, progress on standard error. CIFAR-10's standard augmentation: crops of the image padded by 4 pixels, mirrored
// half of the time.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/evaluator.h"
#include "evaluators/pruning_importance.h"
#include "evaluators/recovery.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "models/op_counts.h"
#include "policies/policy.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"

namespace {

using namespace lathe;

struct Arguments {
  std::string model, output, rounding = "nearest", reconstruction = "least_squares";
  evaluators::DataOptions data{.kind = "cifar10", .load_train = true};
  std::vector<std::string> policies, splits{"test"};
  std::vector<std::uint64_t> seeds{1};
  evaluators::RecoveryOptions recovery;
};

void add_options(CLI::App& app, Arguments& arguments) {
  evaluators::RecoveryOptions& recovery = arguments.recovery;
  evaluators::TrainOptions& training = recovery.training;
  recovery.fine_tune_epochs = recovery.qat_epochs = 0;
  recovery.distillation_weight = 0;
  app.add_option("model", arguments.model)->required();
  app.add_option("data", arguments.data.path)->required();
  app.add_option("policies", arguments.policies)->required();
  app.add_option("--splits", arguments.splits, "to measure")->check(CLI::IsMember({"test", "search"}));
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
  const auto add_ranges = [&](const std::string& name, policies::RangeMethod& method) {
    app.add_option_function<std::string>(name, [&method](const std::string& given) { method = policies::parse_range_method(given); });
  };
  add_ranges("--activation-ranges", recovery.compression.activation_method);
  add_ranges("--weight-ranges", recovery.compression.weight_method);
  app.add_flag("--equalize", recovery.compression.equalizes_across_layers);
  app.add_flag("--correct-biases", recovery.compression.corrects_biases);
  app.add_flag("!--keep-statistics", recovery.compression.recalibrate_batch_norm, "of BatchNormalization, as they were trained");
  app.add_option("--reconstruction-ridge", recovery.compression.sequential.ridge);
  app.add_option("--reconstruction-rows", recovery.compression.sequential.rows);
  app.add_option("--reconstruction", arguments.reconstruction, "of pruned networks")
      ->check(CLI::IsMember({"none", "least_squares", "sequential"}));
  app.add_option("--out", arguments.output, "ONNX file of the last seed's delivered network");
}

void add_data_options(CLI::App& app, evaluators::DataOptions& data) {
  app.add_option("--kind", data.kind);
  app.add_option("--mean", data.mean);
  app.add_option("--stddev", data.stddev);
  app.add_option("--image-size", data.image_size);
  app.add_option("--calibration-rows", data.calibration_rows);
  app.add_option("--search-rows", data.search_rows);
  app.add_option("--test-rows", data.test_rows);
  app.add_option("--split", data.split);
  app.add_option("--inputs-train", data.inputs_train, "npy: comma-separated");
  app.add_option("--inputs-test", data.inputs_test, "npy: comma-separated");
  app.add_option("--labels-train", data.labels_train);
  app.add_option("--labels-test", data.labels_test);
}

// What belongs to CIFAR-10 unless it is said otherwise.
void complete(Arguments& arguments) {
  if (arguments.data.kind != "cifar10") return;
  arguments.recovery.training.augmentation = {.crop_padding = 4, .horizontal_flip = true};
  if (!arguments.data.mean.empty()) return;
  arguments.data.mean = {0.485F, 0.456F, 0.406F};
  arguments.data.stddev = {0.229F, 0.224F, 0.225F};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double share(const std::vector<std::uint8_t>& rows) {
  return static_cast<double>(std::count(rows.begin(), rows.end(), 1)) / static_cast<double>(rows.size());
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments),
        network_(policies::prepare_for_pruning(models::read_onnx(arguments.model))),
        analysis_(policies::analyze_coupling(network_)),
        data_(evaluators::load_dataset(arguments.data)),
        reconstruction_(network_, analysis_, data_.calibration),
        reference_(evaluators::with_calibration_statistics(network_, data_.calibration)) {
    if (measures("search")) float_on_search_ = evaluators::predict(models::Executor(network_), data_.search);
    if (measures("test")) float_correct_ = correct_on_test(models::Executor(network_));
  }

  nlohmann::json run(const std::string& file, std::uint64_t seed) {
    const auto start = std::chrono::steady_clock::now();
    const policies::Policy policy = with_kept_channels(policies::read_policy(file));
    evaluators::RecoveryOptions options = arguments_.recovery;
    options.training.seed = seed;
    options.compression.reconstruction = arguments_.reconstruction == "none" ? nullptr : &reconstruction_;
    options.compression.reconstructs_in_sequence = arguments_.reconstruction == "sequential";
    options.compression.batch_norm_reference = &reference_;
    options.compression.weight_rounding = evaluators::parse_weight_rounding(arguments_.rounding);
    const auto result = evaluators::recover(network_, analysis_, policy, data_, options, [&](const evaluators::RecoveryProgress& now) {
      if (now.progress.step % 100 < 20)
        std::cerr << now.stage << " epoch " << now.progress.epoch << " loss " << now.progress.loss << ' ' << seconds_since(start) << " s\n";
      return true;
    });
    const double training_seconds = seconds_since(start);
    if (!arguments_.output.empty()) models::write_onnx(result.delivered, arguments_.output);
    const models::Network pruned = policies::prune(network_, analysis_, policies::kept_channels(network_, analysis_, policy));
    nlohmann::json line{{"policy", file},
                        {"seed", seed},
                        {"macs_share", static_cast<double>(models::total_macs(pruned)) / static_cast<double>(models::total_macs(network_))},
                        {"packed_bytes", policies::packed_bytes(models::fold_batch_norm(pruned), policy)},
                        {"training_seconds", training_seconds}};
    const models::Executor delivered(result.delivered);
    if (measures("test")) line.update(measure_test(delivered));
    if (measures("search")) line.update(measure_search(delivered));
    return line;
  }

 private:
  bool measures(const std::string& split) const {
    return std::find(arguments_.splits.begin(), arguments_.splits.end(), split) != arguments_.splits.end();
  }

  std::vector<std::uint8_t> correct_on_test(const models::Executor& executor) const {
    return evaluators::matches(evaluators::predict(executor, data_.test), evaluators::labels_of(data_.test));
  }

  nlohmann::json measure_test(const models::Executor& delivered) const {
    const auto now_correct = correct_on_test(delivered);
    const auto loss = evaluators::paired_difference(float_correct_, now_correct);
    return {{"float_accuracy", share(float_correct_)},
            {"accuracy", share(now_correct)},
            {"loss_points", 100 * loss.difference},
            {"interval_points", {100 * loss.interval.first, 100 * loss.interval.second}},
            {"samples", now_correct.size()}};
  }

  // Agreement with the float network, and the mean probability of its answers: what a policy may be chosen by without labels.
  nlohmann::json measure_search(const models::Executor& delivered) const {
    const auto answers = evaluators::answer(delivered, data_.search, float_on_search_);
    return {{"search_agreement", share(evaluators::matches(answers.predictions, float_on_search_))},
            {"search_probability", answers.expected_probability}};
  }

  policies::Policy with_kept_channels(policies::Policy policy) {
    for (policies::GroupPolicy& entry : policy.groups) {
      const auto group =
          std::find_if(analysis_.groups.begin(), analysis_.groups.end(), [&](const auto& g) { return g.name == entry.name; });
      if (group == analysis_.groups.end() || !entry.kept.empty() || !policies::needs_rows(entry.criterion)) continue;
      auto& importance = importance_[entry.criterion];
      if (importance.empty()) importance = evaluators::channel_importance(network_, analysis_, entry.criterion, 0, &data_.calibration);
      const auto& scores = importance[static_cast<std::size_t>(group - analysis_.groups.begin())];
      entry.kept = policies::most_important(scores, policies::kept_count(entry, *group));
    }
    return policy;
  }

  const Arguments& arguments_;
  models::Network network_;
  policies::CouplingAnalysis analysis_;
  evaluators::Dataset data_;
  evaluators::ConsumerReconstruction reconstruction_;
  models::Network reference_;
  std::vector<std::int64_t> float_on_search_;
  std::vector<std::uint8_t> float_correct_;
  std::map<std::string, policies::Importance> importance_;  // by criterion, as they are needed
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Accuracy of compressed networks, after recovery training or without");
  Arguments arguments;
  add_options(app, arguments);
  add_data_options(app, arguments.data);
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    complete(arguments);
    Bench bench(arguments);
    for (const std::string& policy : arguments.policies) {
      for (const std::uint64_t seed : arguments.seeds) std::cout << bench.run(policy, seed).dump() << std::endl;
    }
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

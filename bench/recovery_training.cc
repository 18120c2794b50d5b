// What compression costs and recovery training wins back: compresses a network by a policy, trains it, lowers it to QuantizeLinear and
// DequantizeLinear, and measures the delivered network on the held-out rows (of CIFAR-10 the second half of the test file), once for each
// policy and seed. Settings are to be chosen by what --splits search adds, of the first half.
//
//   recovery_training MODEL.onnx DATA_FOLDER POLICY.json... [--qat-method lsq --qat-epochs 20 --device cuda --seeds 1 2 3 ...]
//
// DATA_FOLDER holds CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin, unless --kind names another data set. One JSON line
// a seed on standard output, progress on standard error. CIFAR-10's standard augmentation: crops of the image padded by 4 pixels, mirrored
// half of the time.
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/fitted_epochs.h"
#include "bench/recovery_arguments.h"
#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/evaluator.h"
#include "evaluators/pruning_importance.h"
#include "evaluators/recovery.h"
#include "evaluators/sequential_reconstruction.h"
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
#include "policies/weight_sparsity.h"

namespace {

using namespace lathe;

// The policy with every layer sparse by the pattern, so that `sparsity` of the network's weights are gone.
policies::Policy with_global_sparsity(const models::Network& network, policies::Policy policy, double sparsity,
                                      const std::string& pattern) {
  if (sparsity == 0) return policy;
  std::vector<std::string> layers;
  for (const policies::LayerInfo& layer : policies::describe_layers(network)) layers.push_back(layer.name);
  const std::vector<double> sparsities = policies::global_sparsities(network, layers, sparsity);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto is_it = [&](const policies::LayerPolicy& entry) { return entry.name == layers[l]; };
    auto entry = std::find_if(policy.layers.begin(), policy.layers.end(), is_it);
    if (entry == policy.layers.end()) entry = policy.layers.insert(policy.layers.end(), {.name = layers[l]});
    entry->sparsity = sparsities[l];
    entry->pattern = pattern;
  }
  return policy;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double share(const std::vector<std::uint8_t>& rows) {
  return static_cast<double>(std::count(rows.begin(), rows.end(), 1)) / static_cast<double>(rows.size());
}

class Bench {
 public:
  explicit Bench(const bench::RecoveryArguments& arguments)
      : arguments_(arguments),
        network_(policies::prepare_for_pruning(models::read_onnx(arguments.model))),
        analysis_(policies::analyze_coupling(network_)),
        data_(evaluators::load_dataset(arguments.data)),
        reconstruction_(network_, analysis_, data_.calibration),
        reference_(evaluators::with_calibration_statistics(network_, data_.calibration)) {
    if (arguments.reconstruction == "sequential") sequential_.emplace(network_, analysis_, data_.calibration, arguments.sequential);
    if (measures("search")) float_on_search_ = evaluators::predict(models::Executor(network_), data_.search);
    if (measures("test")) float_correct_ = correct_on_test(models::Executor(network_));
  }

  nlohmann::json run(const std::string& file, std::uint64_t seed) {
    const policies::Policy policy =
        with_global_sparsity(network_, with_kept_channels(policies::read_policy(file)), arguments_.global_sparsity, arguments_.pattern);
    const evaluators::RecoveryOptions options = recovery_options(policy, seed);
    const auto start = std::chrono::steady_clock::now();
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
    for (const auto& stage : evaluators::stages_of(options)) line["epochs"].push_back(stage.epochs);
    const models::Executor delivered(result.delivered);
    if (measures("test")) line.update(measure_test(delivered));
    if (measures("search")) line.update(measure_search(delivered));
    return line;
  }

 private:
  evaluators::RecoveryOptions recovery_options(const policies::Policy& policy, std::uint64_t seed) const {
    evaluators::RecoveryOptions options = arguments_.recovery;
    options.training.seed = seed;
    options.compression.reconstruction = arguments_.reconstruction == "none" ? nullptr : &reconstruction_;
    options.compression.sequential = sequential_ ? &*sequential_ : nullptr;
    options.compression.batch_norm_reference = &reference_;
    if (arguments_.lent.train_until <= 0) return options;
    return bench::fitted(options, arguments_.lent, [&](const auto& trial, const auto& progress) {
      evaluators::recover(network_, analysis_, policy, data_, trial, progress);
    });
  }

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
    return {{"search_accuracy", share(evaluators::matches(answers.predictions, evaluators::labels_of(data_.search)))},
            {"search_agreement", share(evaluators::matches(answers.predictions, float_on_search_))},
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

  const bench::RecoveryArguments& arguments_;
  models::Network network_;
  policies::CouplingAnalysis analysis_;
  evaluators::Dataset data_;
  evaluators::ConsumerReconstruction reconstruction_;
  std::optional<evaluators::SequentialReconstruction> sequential_;
  models::Network reference_;
  std::vector<std::int64_t> float_on_search_;
  std::vector<std::uint8_t> float_correct_;
  std::map<std::string, policies::Importance> importance_;  // by criterion, as they are needed
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Accuracy of compressed networks, after recovery training or without");
  bench::RecoveryArguments arguments;
  bench::add_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    bench::complete(arguments);
    // As convolutions do by default: 10 bits of fraction are enough to train by; what is measured runs on the CPU.
    at::globalContext().setAllowTF32CuBLAS(true);
    Bench bench(arguments);
    for (const std::string& policy : arguments.policies) {
      for (const std::uint64_t seed : arguments.seeds) std::cout << bench.run(policy, seed).dump() << std::endl;
    }
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

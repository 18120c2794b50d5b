#include "bench/recovery_arguments.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "models/base/error.h"

namespace lathe::bench {
namespace {

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

void add_training_options(CLI::App& app, evaluators::RecoveryOptions& recovery) {
  evaluators::TrainOptions& training = recovery.training;
  recovery.fine_tune_epochs = recovery.qat_epochs = 0;
  recovery.distillation_weight = 0;
  app.add_option("--fine-tune-epochs", recovery.fine_tune_epochs);
  app.add_option("--fine-tune-learning-rate", recovery.fine_tune_learning_rate);
  app.add_option("--qat-epochs", recovery.qat_epochs);
  app.add_option("--qat-learning-rate", recovery.qat_learning_rate);
  app.add_option("--qat-method", recovery.qat_method);
  app.add_option("--distillation", recovery.distillation_weight);
  app.add_option("--feature-distillation", training.feature_distillation);
  app.add_option("--optimizer", training.optimizer);
  app.add_option("--batch-size", training.batch_size);
  app.add_option("--weight-decay", training.weight_decay);
  app.add_option("--label-smoothing", training.label_smoothing);
  app.add_option("--ema-decay", training.ema_decay);
  app.add_option("--device", training.device);
}

void add_compression_options(CLI::App& app, RecoveryArguments& arguments) {
  evaluators::CompressionOptions& compression = arguments.recovery.compression;
  const auto add_ranges = [&](const std::string& name, policies::RangeMethod& method, const std::vector<std::string>& methods) {
    app.add_option_function<std::string>(name, [&method](const std::string& given) { method = policies::parse_range_method(given); })
        ->check(CLI::IsMember(methods));
  };
  add_ranges("--activation-ranges", compression.activation_method, {"min_max", "percentile", "mse", "kl"});
  add_ranges("--weight-ranges", compression.weight_method, {"min_max", "mse"});
  app.add_option_function<std::string>(
         "--integer-types", [&compression](const std::string& given) { compression.integer_types = policies::parse_integer_types(given); })
      ->check(CLI::IsMember({"int8", "int4"}));
  app.add_option("--weight-rounding", arguments.rounding)->check(CLI::IsMember({"nearest", "gptq", "adaround"}));
  app.add_flag("--equalize", compression.equalizes_across_layers);
  app.add_flag("--correct-biases", compression.corrects_biases);
  app.add_flag("!--keep-statistics", compression.recalibrate_batch_norm, "of BatchNormalization, as they were trained");
  app.add_option("--global-sparsity", arguments.global_sparsity, "Of all layers together, shared out by LAMP scores");
  app.add_option("--pattern", arguments.pattern, "of --global-sparsity")->check(CLI::IsMember({"unstructured", "4x1"}));
  app.add_option("--sparsification", arguments.sparsification)->check(CLI::IsMember({"magnitude", "sparsegpt"}));
  app.add_option("--reconstruction", arguments.reconstruction, "of pruned networks")
      ->check(CLI::IsMember({"none", "least_squares", "sequential"}));
  app.add_option("--reconstruction-ridge", arguments.sequential.ridge);
  app.add_option("--reconstruction-relu-steps", arguments.sequential.relu_steps);
  app.add_option("--reconstruction-rows", arguments.sequential.rows);
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

}  // namespace

void add_options(CLI::App& app, RecoveryArguments& arguments) {
  app.add_option("model", arguments.model)->required();
  app.add_option("data", arguments.data.path)->required();
  app.add_option("policies", arguments.policies)->required();
  app.add_option("--splits", arguments.splits, "to measure")->check(CLI::IsMember({"test", "search"}));
  app.add_option("--seeds", arguments.seeds);
  app.add_option("--stages", arguments.stages, "PART:EPOCHS:LEARNING_RATE[:STEPS] each, PART channels, sparsity or widths");
  app.add_option("--probe-until", arguments.lent.probe_until, "Seconds since 1970 till when the speed is measured");
  app.add_option("--train-until", arguments.lent.train_until, "The same when training has to end: all epochs are cut to what fits");
  app.add_option("--out", arguments.output, "ONNX file of the last delivered network");
  add_data_options(app, arguments.data);
  add_training_options(app, arguments.recovery);
  add_compression_options(app, arguments);
}

void complete(RecoveryArguments& arguments) {
  evaluators::CompressionOptions& compression = arguments.recovery.compression;
  arguments.sequential.device = arguments.recovery.training.device;
  compression.weight_rounding = evaluators::parse_weight_rounding(arguments.rounding);
  compression.sparsification = evaluators::parse_sparsification(arguments.sparsification);
  for (const std::string& stage : arguments.stages) arguments.recovery.stages.push_back(parse_stage(stage));
  if (arguments.data.kind != "cifar10") return;
  arguments.recovery.training.augmentation = {.crop_padding = 4, .horizontal_flip = true};
  if (!arguments.data.mean.empty()) return;
  arguments.data.mean = {0.485F, 0.456F, 0.406F};
  arguments.data.stddev = {0.229F, 0.224F, 0.225F};
}

}  // namespace lathe::bench

#include "experiments/train_run.h"

#include <oneapi/tbb/task_arena.h>

#include <filesystem>

#include "evaluators/accuracy.h"
#include "evaluators/detection_head.h"
#include "evaluators/trainer.h"
#include "evaluators/compute_device.h"
#include "experiments/interruption.h"
#include "experiments/run_directory.h"
#include "experiments/text_table.h"
#include "models/base/error.h"
#include "models/onnx_writer.h"
#include "models/op_counts.h"

namespace lathe::experiments {
namespace {

models::Network untrained(const ExperimentConfig& config, const evaluators::Dataset& dataset) {
  const at::Tensor& images = dataset.train.inputs.front();
  if (dataset.train.inputs.size() != 1 || images.dim() != 4)
    throw UserError(Fault{.file = config.file, .key = "data.kind", .expected = "lathe train needs images", .got = config.data.kind});
  models::ResNetOptions options = config.train.network;
  options.name = std::filesystem::path(config.file).stem().string();
  options.in_channels = images.size(1);
  options.height = images.size(2);
  options.width = images.size(3);
  options.classes = dataset.classes;
  options.is_detector = evaluators::are_objects(dataset.train.labels);
  options.seed = config.seed;
  options.validate();
  return models::make_resnet(options);
}

std::string accuracy_text(const models::Network& network, const evaluators::Rows& rows) {
  if (!evaluators::are_objects(rows.labels)) return "accuracy " + format_points(evaluators::accuracy(network, rows));
  const auto outcome = evaluators::detect(models::Executor(network), rows, evaluators::PrecisionMetric::kAt50);
  return "mAP at IoU 0.5 " + format_points(evaluators::mean_average_precision(outcome, evaluators::PrecisionMetric::kAt50)) +
         ", at 0.5 to 0.95 " + format_points(evaluators::mean_average_precision(outcome, evaluators::PrecisionMetric::kMean));
}

}  // namespace

TrainOutcome run_training(const ExperimentConfig& config, const std::string& output, Progress& progress) {
  // Before an hour of training, not after it.
  check_writable_file(output);
  evaluators::check_available(config.train.training.device, config.file, "train.device");
  evaluators::DataOptions data = config.data;
  data.load_train = true;
  const evaluators::Dataset dataset = evaluators::load_dataset(data);
  if (dataset.train.size() == 0)
    throw UserError(Fault{.file = config.file, .key = "data", .expected = "this data set has no training rows"});
  const models::Network network = untrained(config, dataset);
  const std::string size = format_count(static_cast<double>(models::total_parameters(network))) + " parameters, " +
                           format_count(static_cast<double>(models::total_macs(network))) + " MACs";
  progress.say(network.name + ": " + size + "; " + std::to_string(dataset.train.size()) + " training rows");

  evaluators::TrainOptions options = config.train.training;
  options.seed = config.seed;
  progress.start("train", 0);
  const evaluators::TrainResult trained = evaluators::train(network, dataset.train, options, [&](const evaluators::TrainProgress& now) {
    progress.update(static_cast<int>(now.step), "epoch " + format_fixed(now.epoch, 1) + ", loss " + format_fixed(now.loss, 3),
                    /*recalled=*/0, static_cast<int>(now.steps));
    return !is_interrupted();
  });
  progress.finish();
  if (trained.summary.is_stopped) return {};
  models::write_onnx(trained.network, output);
  TrainOutcome outcome{.is_finished = true, .summary = size + "\n"};
  for (const auto& [name, rows] : {std::pair{"search", &dataset.search}, std::pair{"test", &dataset.test}})
    outcome.summary +=
        std::string(name) + " split, " + std::to_string(rows->size()) + " rows: " + accuracy_text(trained.network, *rows) + "\n";
  return outcome;
}

}  // namespace lathe::experiments

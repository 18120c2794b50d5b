#include "experiments/compress_run.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/application.h"
#include "experiments/delivery.h"
#include "experiments/detection_figures.h"
#include "experiments/interruption.h"
#include "experiments/run_directory.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path))
    throw UserError(Fault{.file = path, .expected = "cannot be made a folder: " + error.message()});
}

std::string range_text(const policies::Figure& figure) {
  if (!figure.interval) return "";
  return " [" + format_fixed(100 * figure.interval->first, 2) + ", " + format_fixed(100 * figure.interval->second, 2) + "]";
}

// detection: of detection_json(), null for classifiers.
std::string summary_of(const Experiment& experiment, const Delivery& delivery, const evaluators::Evaluation& float_test,
                       const json& detection) {
  const policies::PolicyMetrics& metrics = delivery.policy.metrics;
  std::string text = "accuracy  " + format_points(metrics.accuracy->value) + range_text(*metrics.accuracy) + " measured on " +
                     std::to_string(metrics.accuracy->samples) + " test rows; float " + format_points(float_test.accuracy) + "\n";
  text += "loss  " + format_fixed(100 * metrics.accuracy_loss->value, 2) + range_text(*metrics.accuracy_loss) +
          " points, paired; recovery " + (delivery.is_recovered ? "kept" : "not used") + "\n";
  if (!detection.is_null()) text += detection_text(detection);
  for (const Target& target : experiment.targets) {
    const auto found = metrics.latency_ms.find(target.name());
    if (found == metrics.latency_ms.end()) continue;
    text += target.name() + "  " + format_significant(found->second.value, 3) + " ms, " +
            format_fixed(target.float_prediction.latency_ms / found->second.value, 2) + "x faster than float (predicted" +
            (target.float_prediction.is_calibrated ? "" : ", uncalibrated") + ")\n";
  }
  text += "ONNX file  " + format_bytes(static_cast<double>(experiment.model_bytes)) + " -> " +
          format_bytes(static_cast<double>(*metrics.size_bytes)) + "\n";
  return text + "packed weights  " + format_bytes(static_cast<double>(*metrics.packed_bytes)) + "\n";
}

}  // namespace

CompressOutcome run_compression(const ExperimentConfig& config, const policies::Policy& policy, const std::string& output,
                                Progress& progress) {
  if (config.evaluator.kind != "builtin")
    throw UserError(Fault{
        .file = config.file, .key = "evaluator.kind", .expected = "compress needs data: expected builtin", .got = config.evaluator.kind});
  make_folder(output);
  const Experiment experiment(config, needs_training_rows(config));
  if (const std::string note = other_model_note(policy.model_sha256, experiment.network.sha256); !note.empty()) progress.say(note);
  const evaluators::Evaluation float_test = experiment.float_accuracy(evaluators::Split::kTest);
  Delivery delivery;
  constexpr int kPercent = 100;
  progress.start("compress", kPercent);
  try {
    delivery = deliver(experiment, policy, float_test, Recovery::kAsConfigured, [&](const evaluators::RecoveryProgress& now) {
      const std::int64_t steps = std::max<std::int64_t>(1, now.progress.steps);
      progress.update(static_cast<int>(kPercent * now.progress.step / steps), now.stage);
      return !is_interrupted();
    });
  } catch (const DeliveryStopped&) {
    return {};
  }
  progress.update(kPercent, "");
  CompressOutcome outcome{.is_finished = true,
                          .model = output + "/" + std::filesystem::path(config.model).stem().string() + ".onnx",
                          .policy = output + "/policy.json"};
  write_atomically(outcome.model, delivery.onnx);
  const json document = policies::to_json(delivery.policy);
  write_atomically(outcome.policy, document.dump(1) + "\n");
  json metrics = document["metrics"];
  metrics["float_accuracy"] = {{"value", float_test.accuracy}, {"samples", float_test.samples}, {"split", "test"}, {"kind", "measured"}};
  for (const Target& target : experiment.targets)
    if (metrics["latency_ms"].contains(target.name()))
      metrics["speed_up"][target.name()] = target.float_prediction.latency_ms / metrics["latency_ms"][target.name()]["value"].get<double>();
  if (delivery.test.detections) metrics["detection"] = detection_json(*float_test.detections, *delivery.test.detections);
  metrics["recovered"] = delivery.is_recovered;
  metrics["model"] = outcome.model;
  outcome.metrics = metrics.dump(2) + "\n";
  outcome.summary = summary_of(experiment, delivery, float_test, metrics.value("detection", json()));
  return outcome;
}

}  // namespace lathe::experiments

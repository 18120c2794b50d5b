#include "experiments/evaluation_service.h"

#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/delivery.h"
#include "models/base/error.h"
#include "models/onnx_writer.h"
#include "policies/layer_policies.h"
#include "policies/weight_sparsity.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

// The delivered file's size does not depend on what calibration finds (of a sparse policy only by weights that rounding makes zero), so the
// cheapest calibration will do.
std::int64_t delivered_bytes(const Experiment& experiment, const policies::Policy& policy) {
  evaluators::CompressionOptions cheap = experiment.compression_options();
  cheap.activation_method = policies::RangeMethod::kMinMax;
  cheap.weight_method = policies::RangeMethod::kMinMax;
  cheap.reconstruction = nullptr;
  cheap.sequential = nullptr;
  cheap.sparsification = evaluators::Sparsification::kMagnitude;
  cheap.recalibrate_batch_norm = false;
  cheap.range_rows = cheap.batch_size = 1;
  const models::Network delivered =
      evaluators::compress_delivered(experiment.network, experiment.analysis, policy, *experiment.dataset, cheap);
  return static_cast<std::int64_t>(models::serialize_onnx(delivered, policies::sparse_initializers_for(policy)).size());
}

evaluators::Split split_of(const json& request) {
  if (!request.contains("split")) return evaluators::Split::kSearch;
  if (request["split"] == "search") return evaluators::Split::kSearch;
  if (request["split"] == "test") return evaluators::Split::kTest;
  throw UserError(Fault{.key = "split", .expected = "expected search or test", .got = request["split"].dump()});
}

json answer_to(const Experiment& experiment, const std::string& line) {
  json answer{{"id", nullptr}};
  json request = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded() || !request.is_object()) {
    answer["error"] = "expected one JSON object a line";
    return answer;
  }
  if (request.contains("id")) answer["id"] = request["id"];
  try {
    const evaluators::Split split = split_of(request);
    request.erase("split");
    answer.update(evaluate_policy(experiment, policies::policy_from_json(request, "stdin", policies::PolicyDocument::kRequest), split));
  } catch (const UserError& error) {
    std::string text = error.what();
    for (char& c : text)
      if (c == '\n') c = ';';
    answer["error"] = text;
  }
  return answer;
}

}  // namespace

json evaluate_policy(const Experiment& experiment, const policies::Policy& given, evaluators::Split split) {
  policies::Policy policy = with_kept_channels(experiment, given);
  // What Lathe does not build is a wrong input, not a failed measurement; a user's own program may know it.
  if (experiment.builtin() != nullptr) policies::layer_policies(experiment.network, policy);
  const evaluators::Evaluation evaluation = experiment.evaluator().evaluate({.policy = policy, .split = split, .rows = 0});
  if (!evaluation.is_ok) return {{"error", evaluation.error}};
  add_predictions(experiment, policy);
  json latency = json::object(), energy = json::object();
  for (const auto& [device, figure] : policy.metrics.latency_ms) latency[device] = figure.value;
  for (const auto& [device, figure] : policy.metrics.energy_mj) energy[device] = figure.value;
  json answer{{"accuracy", evaluation.accuracy},
              {"interval", {evaluation.interval.first, evaluation.interval.second}},
              {"samples", evaluation.samples},
              {"split", split == evaluators::Split::kTest ? "test" : "search"},
              {"latency_ms", latency},
              {"energy_mj", energy},
              {"packed_bytes", packed_size(experiment, policy)},
              {"seconds", evaluation.seconds}};
  if (!std::isnan(evaluation.expected_probability)) answer["expected_probability"] = evaluation.expected_probability;
  if (experiment.dataset) answer["size_bytes"] = delivered_bytes(experiment, policy);
  return answer;
}

void serve_evaluations(const Experiment& experiment, std::istream& in, std::ostream& out) {
  namespace tbb = oneapi::tbb;
  const auto read = [&](tbb::flow_control& control) {
    std::string line;
    while (std::getline(in, line))
      if (line.find_first_not_of(" \t\r") != std::string::npos) return line;
    control.stop();
    return std::string();
  };
  const auto write = [&](const std::string& answer) { out << answer << std::endl; };
  tbb::task_arena arena(experiment.threads());
  arena.execute([&] {
    tbb::parallel_pipeline(
        static_cast<std::size_t>(experiment.threads()),
        tbb::make_filter<void, std::string>(tbb::filter_mode::serial_in_order, read) &
            tbb::make_filter<std::string, std::string>(tbb::filter_mode::parallel,
                                                       [&](const std::string& line) { return answer_to(experiment, line).dump(); }) &
            tbb::make_filter<std::string, void>(tbb::filter_mode::serial_in_order, write));
  });
}

}  // namespace lathe::experiments

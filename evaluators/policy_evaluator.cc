#include "evaluators/policy_evaluator.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>

#include "evaluators/accuracy.h"
#include "evaluators/compute_device.h"
#include "evaluators/detection_head.h"
#include "models/base/check.h"
#include "models/executor.h"
#include "policies/quantize_network.h"

namespace lathe::evaluators {
namespace {

Evaluation evaluation_of(std::vector<std::uint8_t> correct) {
  LATHE_CHECK(!correct.empty());
  const auto right = std::count(correct.begin(), correct.end(), 1);
  const auto samples = static_cast<std::int64_t>(correct.size());
  return {.accuracy = static_cast<double>(right) / static_cast<double>(samples),
          .interval = wilson_interval(right, samples),
          .samples = samples,
          .correct = std::move(correct)};
}

// Copied once, or each trial would send its rows to the GPU anew.
Dataset on_device(const Dataset& dataset, const std::string& device) {
  if (device == "cpu") return dataset;
  Dataset copy = dataset;
  for (Rows* rows : {&copy.calibration, &copy.search, &copy.test}) *rows = on_device(*rows, device);
  return copy;
}

}  // namespace

struct PolicyEvaluator::State {
  // The float network on one split: what rows are compared with, and how the float network itself does.
  struct Reference {
    std::once_flag once;
    std::vector<std::int64_t> expected;
    Evaluation evaluation;
  };

  const models::Network& network;
  const policies::CouplingAnalysis& analysis;
  Dataset dataset;
  PolicyEvaluatorOptions options;
  Reference search, test;

  const Rows& rows(Split split) const { return split == Split::kSearch ? dataset.search : dataset.test; }

  const Reference& reference(Split split) {
    Reference& reference = split == Split::kSearch ? search : test;
    std::call_once(reference.once, [&] {
      if (are_objects(rows(split).labels)) {
        reference.evaluation = precision_of(network, split, /*row_count=*/0);
        return;
      }
      const auto predictions =
          predict(models::Executor(network, options.compression.device), rows(split), {.batch_size = options.batch_size});
      const bool is_agreement = split == Split::kSearch && options.search_kind == AccuracyKind::kAgreement;
      reference.expected = is_agreement ? predictions : labels_of(rows(split));
      reference.evaluation = evaluation_of(matches(predictions, reference.expected));
    });
    return reference;
  }

  Evaluation precision_of(const models::Network& measured, Split split, std::int64_t row_count) const {
    const DetectionOptions detection{.batch_size = options.batch_size, .rows = row_count};
    return detection_evaluation(detect(models::Executor(measured, options.compression.device), rows(split), options.precision, detection));
  }

  // Labels are known without running the float network.
  std::vector<std::int64_t> expected(Split split) {
    const bool is_agreement = split == Split::kSearch && options.search_kind == AccuracyKind::kAgreement;
    return is_agreement ? reference(split).expected : labels_of(rows(split));
  }
};

PolicyEvaluator::PolicyEvaluator(const models::Network& network, const policies::CouplingAnalysis& analysis, const Dataset& dataset,
                                 const PolicyEvaluatorOptions& options)
    : state_(new State{
          .network = network, .analysis = analysis, .dataset = on_device(dataset, options.compression.device), .options = options}) {
  LATHE_CHECK_GT(dataset.search.size(), 0);
  LATHE_CHECK_GT(dataset.test.size(), 0);
  if (options.compression.device != "cpu") compute_in_full_precision();
}

PolicyEvaluator::~PolicyEvaluator() = default;

const Evaluation& PolicyEvaluator::reference(Split split) const {
  return state_->reference(split).evaluation;
}

Evaluation PolicyEvaluator::measure(const models::Network& network, const EvaluationRequest& request) const {
  const models::Network baked = policies::bake_weight_quantization(network);
  const Rows& rows = state_->rows(request.split);
  if (are_objects(rows.labels)) return state_->precision_of(baked, request.split, request.rows);
  LATHE_CHECK(request.first_row < rows.size() && (request.rows == 0 || request.first_row < request.rows)) << request.first_row;
  const AccuracyOptions options{
      .batch_size = state_->options.batch_size, .rows = request.rows > 0 ? request.rows - request.first_row : 0, .bar = request.bar};
  std::vector<std::int64_t> expected = state_->expected(request.split);
  expected.erase(expected.begin(), expected.begin() + request.first_row);
  const Answers answers =
      answer(models::Executor(baked, state_->options.compression.device), rows_from(rows, request.first_row), expected, options);
  Evaluation evaluation = evaluation_of(matches(answers.predictions, expected));
  evaluation.expected_probability = answers.expected_probability;
  return evaluation;
}

Evaluation PolicyEvaluator::evaluate(const EvaluationRequest& request) const {
  const auto start = std::chrono::steady_clock::now();
  Evaluation evaluation;
  try {
    // LibTorch's setting is a thread's own: each oneTBB task must make it before its first operator.
    at::set_num_threads(1);
    const models::Network compressed =
        compress_simulated(state_->network, state_->analysis, request.policy, state_->dataset, state_->options.compression);
    evaluation = measure(compressed, request);
  } catch (const std::exception& error) {
    evaluation = {.is_ok = false, .error = error.what()};
  }
  evaluation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return evaluation;
}

}  // namespace lathe::evaluators

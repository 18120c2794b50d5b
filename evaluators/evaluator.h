// Measures the accuracy of a policy.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluators/average_precision.h"
#include "policies/policy.h"

namespace lathe::evaluators {

enum class Split { kSearch, kTest };

struct Evaluation {
  bool is_ok = true;
  std::string error;                   // why not
  double accuracy = 0;                 // share of correct (or agreeing) rows; of detectors mAP; in [0, 1]
  std::pair<double, double> interval;  // 95 %: Wilson; of detectors by a bootstrap over images
  std::int64_t samples = 0;
  std::vector<std::uint8_t> correct;           // one a row; empty where the evaluator cannot know (external command) and of detectors
  std::optional<DetectionOutcome> detections;  // of detectors that were measured in this process; not stored with trials
  // Mean probability (softmax of the logits) of the expected class: tells losses apart that are too small to flip one of few rows. NaN
  // where the evaluator cannot know.
  double expected_probability = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;  // wall clock, for information only
};

struct EvaluationRequest {
  policies::Policy policy;
  Split split = Split::kSearch;
  std::int64_t rows = 0;       // fidelity: the first `rows` of the split; 0 = all
  std::int64_t first_row = 0;  // that is run of those; by the built-in evaluator and for rows with classes alone
  // The evaluator may stop, with fewer samples than asked for, as soon as it is sure that the accuracy stays below this; 0 = never.
  double bar = 0;
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // Called from several threads at once. A policy that cannot be evaluated is a value with is_ok = false, not an exception.
  virtual Evaluation evaluate(const EvaluationRequest& request) const = 0;
};

// Wilson score interval (E. B. Wilson 1927) of k successes in n; deviations: half width in standard normal deviations, 95 % by default.
constexpr double kNormalQuantile975 = 1.959963984540054;
std::pair<double, double> wilson_interval(std::int64_t k, std::int64_t n, double deviations = kNormalQuantile975);

// Paired difference of accuracy (a minus b on the same rows) and its 95 % interval by the normal approximation of the paired differences.
struct PairedDifference {
  double difference;
  std::pair<double, double> interval;
};
PairedDifference paired_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b);
// Of mAP on the same images: by the standard deviation of its difference over 1,000 bootstrap samples of the images.
PairedDifference paired_difference(const DetectionOutcome& a, const DetectionOutcome& b, PrecisionMetric metric);

// mAP by outcome.metric, with its interval.
Evaluation detection_evaluation(DetectionOutcome outcome);

}  // namespace lathe::evaluators

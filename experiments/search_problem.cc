#include "experiments/search_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMedian = 0.5;

// The limit on the predicted latency that keeps the configured quantile of the true one below the user's.
double latency_limit_ms(const ConstraintsConfig& limits, const Target& target) {
  const double log_deviation = target.hardware->device().latency_log_deviation;
  return limits.latency_ms.of(target.name()).value_or(kNone) / hwmodels::latency_quantile_factor(log_deviation, limits.latency_quantile);
}

std::vector<search::Metric> make_metrics(const Experiment& experiment) {
  const ConstraintsConfig& limits = experiment.config.constraints;
  std::vector<search::Metric> metrics{{.name = "accuracy", .direction = search::Direction::kMaximize, .is_measured = true}};
  for (const Target& target : experiment.targets) {
    metrics.push_back({.name = metric_name("latency_ms", target.name()), .limit = latency_limit_ms(limits, target)});
    metrics.push_back({.name = metric_name("energy_mj", target.name()), .limit = limits.energy_mj.of(target.name()).value_or(kNone)});
  }
  metrics.push_back({.name = "packed_bytes", .limit = limits.packed_bytes.value_or(kNone)});
  if (has_macs_metric(experiment.config)) metrics.push_back({.name = "macs", .limit = limits.macs.value_or(kNone)});
  return metrics;
}

// Metrics of an objective, of the limits, and the float network's value.
struct Axis {
  int metric;
  double reference;
};

Axis axis_of(const Experiment& experiment, const std::string& objective, int target, const evaluators::Evaluation& float_accuracy) {
  const hwmodels::Prediction& as_it_is = experiment.targets[static_cast<std::size_t>(target)].float_prediction;
  if (objective == "accuracy")
    return {kAccuracyMetric, std::max(0.0, float_accuracy.accuracy - experiment.config.search.accuracy_range / 100)};
  if (objective == "latency_ms") return {latency_metric(target), as_it_is.latency_ms};
  if (objective == "energy_mj") return {energy_metric(target), as_it_is.energy_mj};
  if (objective == "macs") return {macs_metric(experiment), macs(experiment, policies::least_compressed(experiment.space))};
  return {packed_metric(experiment), packed_bytes(experiment, policies::least_compressed(experiment.space))};
}

search::Front make_front(const Experiment& experiment, int target, const evaluators::Evaluation& float_accuracy) {
  search::Front front{.name = experiment.targets[static_cast<std::size_t>(target)].name()};
  for (const std::string& objective : experiment.config.objectives) {
    const Axis axis = axis_of(experiment, objective, target, float_accuracy);
    front.metrics.push_back(axis.metric);
    front.reference_point.push_back(axis.reference);
  }
  std::vector<int> exact{latency_metric(target), energy_metric(target), packed_metric(experiment)};
  if (has_macs_metric(experiment.config)) exact.push_back(macs_metric(experiment));
  for (const int metric : exact)
    if (std::find(front.metrics.begin(), front.metrics.end(), metric) == front.metrics.end()) front.limited.push_back(metric);
  return front;
}

// The lowest value of an exact metric, by coordinate descent from the most compressed candidate. Metrics fall with compression but for
// steps of granularity, so that few sweeps reach the least value that any policy has.
double lowest_value(const search::Problem& problem, int metric) {
  constexpr int kSweeps = 3;
  policies::Candidate best{.choices = std::vector<int>(problem.space.decisions.size(), 0)};
  double lowest = exact_metrics(problem, best)[static_cast<std::size_t>(metric)];
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    const double before = lowest;
    for (std::size_t d = 0; d < best.choices.size(); ++d) {
      policies::Candidate tried = best;
      for (std::size_t v = 0; v < problem.space.decisions[d].values.size(); ++v) {
        tried.choices[d] = static_cast<int>(v);
        const double value = exact_metrics(problem, tried)[static_cast<std::size_t>(metric)];
        if (!(value < lowest)) continue;
        lowest = value;
        best = tried;
      }
    }
    if (lowest == before) break;
  }
  return lowest;
}

// A quantile other than the median says nothing of a device that nobody has calibrated.
void check_quantile(const Experiment& experiment, std::vector<Fault>& faults) {
  const ConstraintsConfig& limits = experiment.config.constraints;
  for (const Target& target : experiment.targets) {
    const bool is_needed = limits.latency_quantile != kMedian && limits.latency_ms.of(target.name()).has_value();
    if (!is_needed || target.hardware->device().latency_log_deviation > 0) continue;
    faults.push_back({.file = experiment.config.file,
                      .key = "constraints.latency_quantile",
                      .expected = target.name() + " is not calibrated, so that its latencies have no quantiles; `lathe calibrate` gives it "
                                                  "an error bar"});
  }
}

// " on DEVICE", and where the limit on a quantile was turned into one on the prediction, the user's own number.
std::string whose_limit(const Experiment& experiment, const std::string& metric) {
  const std::size_t at = metric.find('@');
  if (at == std::string::npos) return "";
  const std::string device = metric.substr(at + 1);
  const ConstraintsConfig& limits = experiment.config.constraints;
  if (metric != metric_name("latency_ms", device) || limits.latency_quantile == kMedian) return " on " + device;
  std::ostringstream text;
  text << " on " << device << " (" << *limits.latency_ms.of(device) << " at the quantile " << limits.latency_quantile << ")";
  return text.str();
}

}  // namespace

search::Problem make_problem(const Experiment& experiment, const DeviceMetrics& metrics, const evaluators::Evaluation& float_accuracy) {
  search::Problem problem{.space = experiment.space, .metrics = make_metrics(experiment), .exact = &metrics};
  for (std::size_t i = 0; i < experiment.targets.size(); ++i)
    problem.fronts.push_back(make_front(experiment, static_cast<int>(i), float_accuracy));
  return problem;
}

std::vector<double> exact_metrics(const search::Problem& problem, const policies::Candidate& candidate) {
  std::vector<double> values(problem.metrics.size(), kNone);
  problem.exact->compute(candidate, values);
  return values;
}

void check_constraints(const Experiment& experiment, const search::Problem& problem) {
  std::vector<Fault> faults;
  check_quantile(experiment, faults);
  for (std::size_t i = 0; i < problem.metrics.size(); ++i) {
    const search::Metric& metric = problem.metrics[i];
    if (metric.is_measured || std::isnan(metric.limit)) continue;
    const double lowest = lowest_value(problem, static_cast<int>(i));
    if (lowest <= metric.limit) continue;
    faults.push_back({.file = experiment.config.file,
                      .key = "constraints." + metric.name.substr(0, metric.name.find('@')),
                      .expected = "no policy of this search space meets " + format_significant(metric.limit, 4) +
                                  whose_limit(experiment, metric.name) + "; the best that one can reach is " +
                                  format_significant(lowest, 4)});
  }
  if (!faults.empty()) throw UserError(faults);
}

}  // namespace lathe::experiments

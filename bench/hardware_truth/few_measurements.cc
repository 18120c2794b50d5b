#include "bench/hardware_truth/few_measurements.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "bench/measurements/statistics.h"
#include "models/base/rng.h"

namespace lathe::bench {
namespace {

using hwmodels::CalibratedLatency;
using hwmodels::HierarchicalPrior;
using hwmodels::LatencyRows;

constexpr double kNinetyPercentDeviations = 1.645;  // of a normal distribution, two-sided

std::vector<int> shuffled(std::size_t count, Rng rng) {
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  rng.shuffle(order);
  return order;
}

LatencyRows latency_rows(const RuntimeHypothesis& runtime, const MeasuredDevice& device, const std::vector<int>& chosen) {
  std::vector<int> rows;
  for (const int i : chosen) rows.push_back(device.rows[static_cast<std::size_t>(i)]);
  return {rows_of(runtime.features, rows), device.latency_ms(chosen)};
}

bool may_hold(const RuntimeHypothesis& runtime, const MeasuredDevice& device) {
  return device.runtime.empty() || device.runtime == runtime.name;
}

struct Choice {
  const RuntimeHypothesis* runtime = nullptr;
  CalibratedLatency calibrated;
};

// The runtime that is most probable after the measurements.
Choice calibrate(const MeasuredSpace& space, const MeasuredDevice& device, const HierarchicalPrior& prior,
                 const std::vector<int>& measured) {
  Choice best;
  double best_log_probability = -std::numeric_limits<double>::infinity();
  for (const RuntimeHypothesis& runtime : space.runtimes) {
    if (!may_hold(runtime, device)) continue;
    CalibratedLatency calibrated = calibrate_latency(prior, latency_rows(runtime, device, measured));
    const double log_probability = calibrated.log_evidence + std::log(runtime.probability);
    if (log_probability <= best_log_probability) continue;
    best_log_probability = log_probability;
    best = {&runtime, std::move(calibrated)};
  }
  return best;
}

double covered_percent(const CalibratedLatency& calibrated, const LatencyRows& rows) {
  int covered = 0;
  for (Eigen::Index i = 0; i < rows.latency_ms.size(); ++i) {
    const hwmodels::LatencyEstimate estimate = calibrated.estimate(rows.features.row(i).transpose());
    if (std::abs(rows.latency_ms[i] - estimate.latency_ms) <= kNinetyPercentDeviations * estimate.deviation_ms) ++covered;
  }
  return 100.0 * covered / static_cast<double>(rows.latency_ms.size());
}

}  // namespace

HierarchicalPrior learn_space_prior(const MeasuredSpace& space, const std::vector<const MeasuredDevice*>& devices,
                                    const FewMeasurementsOptions& options) {
  std::vector<LatencyRows> chosen;
  for (const MeasuredDevice* device : devices) {
    std::vector<int> rows = shuffled(device->rows.size(), Rng(options.seed, "prior rows"));
    rows.resize(std::min(rows.size(), static_cast<std::size_t>(options.prior_rows)));
    double least_noise = std::numeric_limits<double>::infinity();
    LatencyRows best;
    for (const RuntimeHypothesis& runtime : space.runtimes) {
      if (!may_hold(runtime, *device)) continue;
      LatencyRows candidate = latency_rows(runtime, *device, rows);
      const double noise = std::exp(learn_latency_prior(std::span(&candidate, 1)).noise.log_mean);
      if (noise >= least_noise) continue;
      least_noise = noise;
      best = std::move(candidate);
    }
    chosen.push_back(std::move(best));
  }
  return learn_latency_prior(chosen);
}

Draw draw_rows(const MeasuredDevice& device, const FewMeasurementsOptions& options, int draw) {
  const std::vector<int> order = shuffled(device.rows.size(), Rng(options.seed, device.name, static_cast<std::uint64_t>(draw)));
  const auto cut = order.begin() + std::min<std::ptrdiff_t>(options.measurements, std::ssize(order) / 2);
  return {{order.begin(), cut}, {cut, order.end()}};
}

Agreement evaluate_device(const MeasuredSpace& space, const MeasuredDevice& device, const HierarchicalPrior& prior,
                          const FewMeasurementsOptions& options) {
  std::vector<Agreement> agreements;
  for (int draw = 0; draw < options.draws; ++draw) {
    const Draw rows = draw_rows(device, options, draw);
    const auto [runtime, calibrated] = calibrate(space, device, prior, rows.measured);
    const LatencyRows others = latency_rows(*runtime, device, rows.others);
    const std::vector<double> predicted = to_vector(calibrated.predict_ms(others.features)), measured = to_vector(others.latency_ms);
    agreements.push_back({.spearman = measurements::spearman(predicted, measured),
                          .median_error_percent = 100 * measurements::median_relative_error(predicted, measured),
                          .covered_percent = covered_percent(calibrated, others)});
  }
  return mean_agreement(agreements);
}

Agreement mean_agreement(std::span<const Agreement> agreements) {
  Agreement mean;
  const double count = static_cast<double>(agreements.size());
  for (const Agreement& agreement : agreements) {
    mean.spearman += agreement.spearman / count;
    mean.median_error_percent += agreement.median_error_percent / count;
    mean.covered_percent += agreement.covered_percent / count;
  }
  return mean;
}

std::vector<double> to_vector(const Eigen::VectorXd& values) {
  return {values.begin(), values.end()};
}

}  // namespace lathe::bench

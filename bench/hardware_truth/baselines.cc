#include "bench/hardware_truth/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "bench/measurements/statistics.h"
#include "hwmodels/calibration/gaussian_regression.h"

namespace lathe::bench {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kLinearNoise = 0.1;

Agreement agreement_of(const VectorXd& predicted, const VectorXd& measured) {
  return {.spearman = measurements::spearman(to_vector(predicted), to_vector(measured)),
          .median_error_percent = 100 * measurements::median_relative_error(to_vector(predicted), to_vector(measured))};
}

MatrixXd standardized(const MatrixXd& features) {
  const MatrixXd centered = features.rowwise() - features.colwise().mean();
  const Eigen::RowVectorXd spread = (centered.cwiseAbs2().colwise().mean()).cwiseSqrt().cwiseMax(1e-12);
  MatrixXd result(features.rows(), features.cols() + 1);
  result << VectorXd::Ones(features.rows()), centered.array().rowwise() / spread.array();
  return result;
}

}  // namespace

Agreement macs_baseline(const std::vector<double>& macs, const MeasuredDevice& device, const FewMeasurementsOptions& options) {
  VectorXd own(static_cast<Eigen::Index>(device.rows.size()));
  for (Eigen::Index i = 0; i < own.size(); ++i) own[i] = macs[static_cast<std::size_t>(device.rows[static_cast<std::size_t>(i)])];
  std::vector<Agreement> agreements;
  for (int draw = 0; draw < options.draws; ++draw) {
    const Draw rows = draw_rows(device, options, draw);
    const double ms_per_mac = measurements::median(to_vector(device.latency_ms(rows.measured).cwiseQuotient(own(rows.measured))));
    agreements.push_back(agreement_of(ms_per_mac * own(rows.others), device.latency_ms(rows.others)));
  }
  return mean_agreement(agreements);
}

double mean_rank_baseline(const MeasuredDevice& device, const std::vector<const MeasuredDevice*>& others) {
  std::map<int, double> rank_sums;  // by architecture, over the devices that have it
  std::map<int, std::size_t> counts;
  for (const MeasuredDevice* other : others) {
    std::vector<std::size_t> order(other->rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return other->latency_ms[static_cast<Eigen::Index>(a)] < other->latency_ms[static_cast<Eigen::Index>(b)];
    });
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      rank_sums[other->rows[order[rank]]] += static_cast<double>(rank) / static_cast<double>(order.size());
      ++counts[other->rows[order[rank]]];
    }
  }
  std::vector<double> predicted, measured;
  for (std::size_t i = 0; i < device.rows.size(); ++i) {
    if (counts[device.rows[i]] < others.size()) continue;
    predicted.push_back(rank_sums[device.rows[i]]);
    measured.push_back(device.latency_ms[static_cast<Eigen::Index>(i)]);
  }
  return measurements::spearman(predicted, measured);
}

Agreement linear_baseline(const MatrixXd& features, const MeasuredDevice& device, const FewMeasurementsOptions& options) {
  const MatrixXd x = standardized(rows_of(features, device.rows));
  const hwmodels::Gaussian prior{VectorXd::Zero(x.cols()), MatrixXd::Identity(x.cols(), x.cols())};
  std::vector<Agreement> agreements;
  for (int draw = 0; draw < options.draws; ++draw) {
    const Draw rows = draw_rows(device, options, draw);
    const VectorXd y = device.latency_ms(rows.measured);
    const VectorXd noise_variance = VectorXd::Constant(y.size(), kLinearNoise * kLinearNoise);
    const auto posterior = condition(prior, rows_of(x, rows.measured), y / y.mean(), noise_variance);
    agreements.push_back(agreement_of(y.mean() * (rows_of(x, rows.others) * posterior.coefficients.mean), device.latency_ms(rows.others)));
  }
  return mean_agreement(agreements);
}

}  // namespace lathe::bench

#include "hwmodels/calibration/parameter_fit.h"

#include <ceres/ceres.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>

#include "hwmodels/hardware_model.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

constexpr double kDifferenceStep = 1e-3;  // of a parameter's logarithm; ceilings make smaller ones see noise

// All that an operator's cost can depend on.
auto cost_key(const OpWorkload& op) {
  return std::make_tuple(op.kind, op.batch, op.in_channels, op.out_channels, op.groups, op.kernel_height, op.kernel_width, op.stride_height,
                         op.stride_width, op.in_height, op.in_width, op.out_height, op.out_width, op.macs, op.weight_elements,
                         op.input_elements, op.output_elements, op.weight_bits, op.input_bits, op.output_bits);
}

// Measurements as counts of distinct operators: networks repeat the same ones many times.
class OperatorCounts {
 public:
  explicit OperatorCounts(const std::vector<LatencyMeasurement>& measurements) {
    using Key = std::pair<std::size_t, decltype(cost_key(OpWorkload{}))>;
    std::map<Key, std::size_t> places;
    for (const LatencyMeasurement& measurement : measurements) {
      const std::size_t variant = variant_of(measurement.lacked_parameters);
      std::map<std::size_t, double>& counts = counts_.emplace_back();
      for (const OpWorkload& op : measurement.workload.ops) {
        if (op.is_fused) continue;
        const auto [place, is_new] = places.emplace(Key{variant, cost_key(op)}, ops_.size());
        if (is_new) ops_.push_back({variant, op});
        counts[place->second] += 1;
      }
    }
  }

  // Latency of each measurement on the device.
  std::vector<double> latencies_ms(const DeviceSpec& device) const {
    std::vector<std::unique_ptr<HardwareModel>> models;
    for (const std::vector<std::string>& lacked : variants_) {
      DeviceSpec variant = device;
      for (const std::string& key : lacked) variant.parameters.erase(key);
      models.push_back(make_hardware_model(std::move(variant)));
    }
    std::vector<double> op_ms;
    for (const auto& [variant, op] : ops_) op_ms.push_back(models[variant]->op_cost(op).latency_ms);
    std::vector<double> latencies;
    for (const std::map<std::size_t, double>& counts : counts_) {
      double sum = 0;
      for (const auto& [op, count] : counts) sum += count * op_ms[op];
      latencies.push_back(sum);
    }
    return latencies;
  }

 private:
  std::size_t variant_of(const std::vector<std::string>& lacked) {
    const auto found = std::find(variants_.begin(), variants_.end(), lacked);
    if (found != variants_.end()) return static_cast<std::size_t>(found - variants_.begin());
    variants_.push_back(lacked);
    return variants_.size() - 1;
  }

  std::vector<std::vector<std::string>> variants_;
  std::vector<std::pair<std::size_t, OpWorkload>> ops_;  // with their variant
  std::vector<std::map<std::size_t, double>> counts_;    // a measurement: operator -> how often
};

// Its square is the pseudo-Huber loss of r, quadratic up to about `scale`.
double robust_root(double r, double scale) {
  const double ratio = r / scale;
  return std::copysign(scale * std::sqrt(2 * (std::sqrt(1 + ratio * ratio) - 1)), r);
}

// Residuals over the logarithms of parameters relative to the start: measurements, then the prior.
class FitResiduals final : public ceres::CostFunction {
 public:
  FitResiduals(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements, const ParameterFitOptions& options)
      : device_(device), measurements_(measurements), options_(options), counts_(measurements) {
    set_num_residuals(static_cast<int>(measurements.size()) + dimensions());
    mutable_parameter_block_sizes()->push_back(dimensions());
  }

  int dimensions() const { return static_cast<int>(options_.parameters.size()) + (options_.start_offset_ms > 0 ? 1 : 0); }

  DeviceSpec device_at(const double* logs) const {
    DeviceSpec device = device_;
    for (std::size_t i = 0; i < options_.parameters.size(); ++i) device.parameters[options_.parameters[i].key] *= std::exp(logs[i]);
    return device;
  }
  double offset_ms_at(const double* logs) const {
    return options_.start_offset_ms > 0 ? options_.start_offset_ms * std::exp(logs[options_.parameters.size()]) : 0;
  }

  Eigen::VectorXd residuals(const double* logs) const {
    const std::vector<double> predicted = counts_.latencies_ms(device_at(logs));
    Eigen::VectorXd result(num_residuals());
    for (std::size_t i = 0; i < measurements_.size(); ++i) {
      const double error = std::log((predicted[i] + offset_ms_at(logs)) / measurements_[i].latency_ms);
      result[static_cast<Eigen::Index>(i)] = robust_root(error / options_.noise, options_.robust_from);
    }
    for (int j = 0; j < dimensions(); ++j) {
      const auto index = static_cast<std::size_t>(j);
      const double spread = index < options_.parameters.size() ? options_.parameters[index].log_spread : options_.offset_log_spread;
      result[static_cast<Eigen::Index>(measurements_.size()) + j] = logs[j] / spread;
    }
    return result;
  }

  Eigen::MatrixXd jacobian(const double* logs) const {
    const Eigen::VectorXd here = residuals(logs);
    Eigen::MatrixXd result(num_residuals(), dimensions());
    for (int j = 0; j < dimensions(); ++j) {
      std::vector<double> moved(logs, logs + dimensions());
      moved[static_cast<std::size_t>(j)] -= kDifferenceStep;  // downwards: shares may be at their bound of 1
      result.col(j) = (here - residuals(moved.data())) / kDifferenceStep;
    }
    return result;
  }

  bool Evaluate(double const* const* parameters, double* values, double** jacobians) const override {
    Eigen::Map<Eigen::VectorXd>(values, num_residuals()) = residuals(parameters[0]);
    if (jacobians == nullptr || jacobians[0] == nullptr) return true;
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    Eigen::Map<RowMajor>(jacobians[0], num_residuals(), dimensions()) = jacobian(parameters[0]);
    return true;
  }

 private:
  const DeviceSpec& device_;
  const std::vector<LatencyMeasurement>& measurements_;
  const ParameterFitOptions& options_;
  OperatorCounts counts_;
};

bool is_share(const std::string& key) {
  return key.ends_with("_efficiency") || key.ends_with("_share") || key.ends_with("_overlap");
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

ParameterFit summarize(const FitResiduals& residuals, const std::vector<double>& logs, const std::vector<LatencyMeasurement>& measurements,
                       const ParameterFitOptions& options) {
  ParameterFit fit{.device = residuals.device_at(logs.data()), .offset_ms = residuals.offset_ms_at(logs.data())};
  // Laplace's approximation: the inverse of the Gauss-Newton Hessian at the most probable point.
  const Eigen::MatrixXd jacobian = residuals.jacobian(logs.data());
  fit.covariance = (jacobian.transpose() * jacobian).inverse();
  for (std::size_t i = 0; i < options.parameters.size(); ++i) {
    const auto index = static_cast<Eigen::Index>(i);
    fit.relative_errors[options.parameters[i].key] = std::sqrt(fit.covariance(index, index));
  }
  const std::vector<double> predicted = OperatorCounts(measurements).latencies_ms(fit.device);
  std::vector<double> errors;
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    const double ratio = (predicted[i] + fit.offset_ms) / measurements[i].latency_ms;
    fit.log_errors.push_back(std::log(ratio));
    errors.push_back(std::abs(ratio - 1));
  }
  fit.median_error = median(std::move(errors));
  return fit;
}

}  // namespace

ParameterFit fit_parameters(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements,
                            const ParameterFitOptions& options) {
  LATHE_CHECK(!measurements.empty()) << "nothing to fit to";
  FitResiduals residuals(device, measurements, options);
  std::vector<double> logs(static_cast<std::size_t>(residuals.dimensions()), 0);
  ceres::Problem::Options problem_options;
  problem_options.cost_function_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
  ceres::Problem problem(problem_options);
  problem.AddResidualBlock(&residuals, nullptr, logs.data());
  for (std::size_t i = 0; i < options.parameters.size(); ++i) {
    const std::string& key = options.parameters[i].key;
    if (is_share(key)) problem.SetParameterUpperBound(logs.data(), static_cast<int>(i), std::max(1e-9, -std::log(device.at(key))));
  }
  ceres::Solver::Options solver;
  solver.max_num_iterations = options.iterations;
  solver.linear_solver_type = ceres::DENSE_QR;
  solver.logging_type = ceres::SILENT;
  solver.function_tolerance = 1e-4;
  ceres::Solver::Summary summary;
  ceres::Solve(solver, &problem, &summary);
  return summarize(residuals, logs, measurements, options);
}

}  // namespace lathe::hwmodels

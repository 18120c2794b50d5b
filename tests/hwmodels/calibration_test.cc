#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hwmodels/calibration/device_calibration.h"
#include "hwmodels/calibration/experiment_design.h"
#include "hwmodels/calibration/gaussian_regression.h"
#include "hwmodels/calibration/hierarchical_prior.h"
#include "hwmodels/calibration/latency_regression.h"
#include "hwmodels/hardware_model.h"
#include "models/base/rng.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd matrix(std::initializer_list<std::initializer_list<double>> rows) {
  MatrixXd m(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.begin()->size()));
  Eigen::Index i = 0;
  for (const auto& row : rows) {
    Eigen::Index j = 0;
    for (const double value : row) m(i, j++) = value;
    ++i;
  }
  return m;
}

// Reference: numpy 2, K = X S X^T + diag(v), mean + S X^T K^-1 (y - X mean), S - S X^T K^-1 X S; scipy's multivariate normal density.
TEST(GaussianRegression, PosteriorAndEvidenceAreThoseOfTheTextbook) {
  const Gaussian prior{VectorXd{{1, -0.5}}, matrix({{0.5, 0.2}, {0.2, 0.3}})};
  const MatrixXd x = matrix({{1, 0}, {1, 1}, {1, 2}, {0.5, -1}});
  const LinearPosterior posterior = condition(prior, x, VectorXd{{1.2, 0.4, 0.1, 1.0}}, VectorXd{{0.01, 0.02, 0.01, 0.04}});
  EXPECT_NEAR(posterior.coefficients.mean[0], 1.12314594093, 1e-8);
  EXPECT_NEAR(posterior.coefficients.mean[1], -0.529242815521, 1e-8);
  EXPECT_NEAR(posterior.coefficients.covariance(0, 0), 0.00698582969143, 1e-8);
  EXPECT_NEAR(posterior.coefficients.covariance(0, 1), -0.00343332009006, 1e-8);
  EXPECT_NEAR(posterior.log_evidence, -1.39984902831, 1e-8);
}

TEST(GaussianRegression, SingularPriorMovesOnlyAlongItsDirection) {
  const VectorXd direction{{1, 2}};
  const Gaussian prior{VectorXd{{0, 0}}, direction * direction.transpose()};
  const LinearPosterior posterior = condition(prior, matrix({{1, 0}}), VectorXd{{3}}, VectorXd{{1e-6}});
  EXPECT_NEAR(posterior.coefficients.mean[0], 3, 1e-4);
  EXPECT_NEAR(posterior.coefficients.mean[1], 6, 1e-4);
}

TEST(GaussianRegression, WildMeasurementIsNamedAndDoesNotBendTheLine) {
  MatrixXd x(12, 2);
  VectorXd y(12);
  Rng rng(1, "wild");
  for (int i = 0; i < 12; ++i) {
    x.row(i) << 1, i;
    y[i] = 2 + 0.5 * i + 0.02 * rng.normal();
  }
  y[7] += 5;
  const Gaussian prior{VectorXd::Zero(2), 100 * MatrixXd::Identity(2, 2)};
  const RobustPosterior posterior = condition_robustly(prior, {.log_mean = -3, .log_spread = 1}, x, y);
  EXPECT_THAT(posterior.outliers(), ElementsAre(7));
  // Three standard errors of a line through eleven points of noise 0.02.
  EXPECT_NEAR(posterior.coefficients.mean[0], 2, 0.04);
  EXPECT_NEAR(posterior.coefficients.mean[1], 0.5, 0.006);
}

// Devices of a planted family: coefficients N((1, 2), diag(0.1^2, 0.3^2)) times a scale that differs a hundredfold.
LatencyRows planted_device(std::uint64_t id, int rows, double noise, VectorXd* coefficients = nullptr) {
  Rng rng(7, "device", id);
  const double scale = std::exp(rng.uniform(-2.3, 2.3));
  const VectorXd c = scale * VectorXd{{1 + 0.1 * rng.normal(), 2 + 0.3 * rng.normal()}};
  if (coefficients != nullptr) *coefficients = c;
  LatencyRows device{MatrixXd(rows, 2), VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    device.features.row(i) << rng.uniform(1, 3), rng.uniform(0, 2);
    device.latency_ms[i] = device.features.row(i).dot(c) * (1 + noise * rng.normal());
  }
  return device;
}

std::vector<LatencyRows> planted_devices(int count) {
  std::vector<LatencyRows> devices;
  for (int i = 0; i < count; ++i) devices.push_back(planted_device(static_cast<std::uint64_t>(i), 200, 0.03));
  return devices;
}

TEST(LatencyPrior, FindsTheShapeAndNoiseThatDevicesShare) {
  const HierarchicalPrior prior = learn_latency_prior(planted_devices(40));
  // The mean of 40 ratios that spread by 18 % is known to 3 %; three times that.
  EXPECT_NEAR(prior.coefficients.mean[1] / prior.coefficients.mean[0], 2, 0.2);
  EXPECT_NEAR(std::exp(prior.noise.log_mean), 0.03, 0.006);
}

TEST(LatencyRegression, FewMeasurementsFindTheScaleAndThePriorTheShape) {
  const HierarchicalPrior prior = learn_latency_prior(planted_devices(40));
  VectorXd truth;
  const LatencyRows device = planted_device(1000, 300, 0.03, &truth);
  std::vector<int> few = {0, 1, 2, 3};
  const CalibratedLatency calibrated = calibrate_latency(prior, {device.features(few, Eigen::all), device.latency_ms(few)});
  const VectorXd predicted = calibrated.predict_ms(device.features), exact = device.features * truth;
  // Four measurements of 3 % noise fix the scale to 1.5 %, shape adds as much.
  EXPECT_LT((predicted.cwiseQuotient(exact).array() - 1).abs().maxCoeff(), 0.08);
  EXPECT_THAT(calibrated.outliers, IsEmpty());
}

TEST(LatencyRegression, IntervalsHoldAsOftenAsTheySay) {
  const HierarchicalPrior prior = learn_latency_prior(planted_devices(40));
  int covered = 0, total = 0;
  for (std::uint64_t id = 2000; id < 2040; ++id) {
    const LatencyRows device = planted_device(id, 60, 0.03);
    std::vector<int> few = {0, 1, 2, 3, 4, 5, 6, 7};
    const CalibratedLatency calibrated = calibrate_latency(prior, {device.features(few, Eigen::all), device.latency_ms(few)});
    for (int i = 8; i < 60; ++i, ++total) {
      const LatencyEstimate estimate = calibrated.estimate(device.features.row(i).transpose());
      covered += std::abs(estimate.latency_ms - device.latency_ms[i]) < 1.645 * estimate.deviation_ms ? 1 : 0;
    }
  }
  const double share = static_cast<double>(covered) / total;
  EXPECT_GT(share, 0.8);
  EXPECT_LT(share, 0.97);
}

TEST(ExperimentDesign, GreedyInformationAddsUpToTheLogDeterminant) {
  const MatrixXd covariance = VectorXd{{1, 0.25}}.asDiagonal();
  const auto chosen = propose_measurements(covariance, matrix({{1, 0}, {0, 1}, {1, 1}}), 0.5, 3);
  ASSERT_EQ(chosen.size(), 3u);
  // numpy: log1p(a^T C a / n^2) / 2 is largest for (1, 1); log det(I + A C A^T / n^2) / 2 in all.
  EXPECT_EQ(chosen[0].candidate, 2);
  EXPECT_NEAR(chosen[0].information_nats, 0.895879734614, 1e-9);
  EXPECT_NEAR(chosen[0].information_nats + chosen[1].information_nats + chosen[2].information_nats, 1.56774710796, 1e-9);
}

TEST(LatencyQuantile, IsLogNormalAroundThePrediction) {
  // scipy 1.17: exp(0.1 * norm.ppf(0.95)), exp(0.2 * norm.ppf(0.1)).
  EXPECT_NEAR(latency_quantile_factor(0.1, 0.95), 1.17878631517, 1e-9);
  EXPECT_NEAR(latency_quantile_factor(0.2, 0.1), 0.77390177966, 1e-9);
  EXPECT_EQ(latency_quantile_ms({.latency_ms = 3}, 0.95), 3);
}

// Networks that stress different parts of a core, timed on a board that differs from its data sheet.
std::vector<LatencyMeasurement> measurements_of(const DeviceSpec& device) {
  const auto model = make_hardware_model(device);
  std::vector<LatencyMeasurement> measurements;
  for (const int blocks : {1, 3, 5}) {
    for (const std::int64_t width : {8, 16, 48, 96}) {
      for (const int bits : {8, 32}) {
        policies::Workload workload = cifar_resnet(blocks, width, bits, bits);
        const double latency_ms = model->predict(workload).latency_ms;
        measurements.push_back({.workload = std::move(workload), .latency_ms = latency_ms});
      }
    }
  }
  return measurements;
}

DeviceSpec slower_board() {
  DeviceSpec board = load_device("raspberry-pi-4");
  board.parameters["gemm_efficiency"] *= 0.6;
  board.parameters["op_overhead_s"] *= 3;
  return board;
}

TEST(DeviceCalibration, FindsABoardThatDiffersFromItsDataSheet) {
  const DeviceSpec sheet = load_device("raspberry-pi-4");
  const auto measurements = measurements_of(slower_board());
  const auto model = make_hardware_model(sheet);
  EXPECT_GT(std::abs(model->predict(measurements[5].workload).latency_ms / measurements[5].latency_ms - 1), 0.2);
  const DeviceCalibration calibration = calibrate_device(sheet, measurements, "board.csv");
  EXPECT_LT(calibration.cross_validated_error, 0.03);
  EXPECT_THAT(calibration.outliers, IsEmpty());
  // Starting an operator and waking its threads happen together, so that only their sum can be told.
  const auto overhead_s = [](const DeviceSpec& device) {
    return device.at("op_overhead_s") + device.at("thread_overhead_s") * std::log2(device.at("threads"));
  };
  EXPECT_NEAR(overhead_s(calibration.fit.device) / overhead_s(slower_board()), 1, 0.2);
  EXPECT_TRUE(calibration.fit.device.is_calibrated);
  EXPECT_THAT(calibration.fit.device.sources.at("gemm_efficiency"), ::testing::HasSubstr("fitted to 24 measurements of board.csv"));
  EXPECT_GT(make_hardware_model(calibration.fit.device)->predict(measurements[0].workload).latency_log_deviation, 0);
}

TEST(DeviceCalibration, NamesTheMeasurementThatWasDisturbed) {
  auto measurements = measurements_of(slower_board());
  measurements[9].latency_ms *= 3;
  EXPECT_THAT(calibrate_device(load_device("raspberry-pi-4"), measurements, "board.csv").outliers, ElementsAre(9));
}

TEST(DeviceCalibration, OneMeasurementIsEnoughToStart) {
  const auto measurements = measurements_of(slower_board());
  const DeviceCalibration calibration = calibrate_device(load_device("raspberry-pi-4"), {measurements[5]}, "board.csv");
  // Between the data sheet, which is 40 % off, and the measurement, nearer to the latter.
  EXPECT_LT(calibration.fit.median_error, 0.1);
}

TEST(DeviceCalibration, ProposesNetworksThatTellApartWhatIsUnknown) {
  std::vector<policies::Workload> candidates;
  for (const std::int64_t width : {8, 8, 96}) candidates.push_back(cifar_resnet(1, width, 32, 32));
  const auto proposed = propose_networks(load_device("raspberry-pi-4"), candidates, 2);
  ASSERT_EQ(proposed.size(), 2u);
  // The first two are the same network: measuring both tells less than either and the third.
  EXPECT_TRUE((proposed[0].candidate == 2) != (proposed[1].candidate == 2));
}

TEST(DeviceFile, WrittenDeviceReadsBackTheSame) {
  for (const std::string& name : device_names()) {
    SCOPED_TRACE(name);
    DeviceSpec device = load_device(name);
    device.is_calibrated = true;
    device.calibration = "3 measurements of \"a, b\".csv: x # y";
    device.latency_log_deviation = 0.0625;
    EXPECT_EQ(parse_device(device_yaml(device), device.file), device);
  }
}

}  // namespace
}  // namespace lathe::hwmodels

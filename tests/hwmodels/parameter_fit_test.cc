#include "hwmodels/calibration/parameter_fit.h"

#include <gtest/gtest.h>

#include "hwmodels/hardware_model.h"
#include "models/base/rng.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

// Networks of different widths and batches, "measured" on a device whose parameters are known.
std::vector<LatencyMeasurement> measure_on(const DeviceSpec& truth, double noise) {
  const auto model = make_hardware_model(truth);
  Rng rng(0, "parameter fit test");
  std::vector<LatencyMeasurement> measurements;
  for (const std::int64_t width : {16, 64, 256}) {
    for (const std::int64_t batch : {1, 16, 256}) {
      policies::Workload workload = cifar_resnet(2, width, 16, 16, batch);
      const double latency_ms = model->predict(workload).latency_ms * std::exp(noise * rng.normal());
      measurements.push_back({.workload = std::move(workload), .latency_ms = latency_ms});
    }
  }
  return measurements;
}

const ParameterFitOptions kOptions{.parameters = {{"kernel_overhead_s", 1}, {"dram_bytes_per_s", 1}, {"math_efficiency", 1}},
                                   .noise = 0.02};

TEST(ParameterFit, RecoversTheParametersThatMadeTheMeasurements) {
  const DeviceSpec start = load_device("nvidia-a100");
  DeviceSpec truth = start;
  truth.parameters["kernel_overhead_s"] *= 1.7;
  truth.parameters["dram_bytes_per_s"] *= 0.6;
  const ParameterFit fit = fit_parameters(start, measure_on(truth, 0), kOptions);
  EXPECT_NEAR(fit.device.at("kernel_overhead_s") / truth.at("kernel_overhead_s"), 1, 0.03);
  EXPECT_LT(fit.median_error, 0.02);
  EXPECT_LT(fit.relative_errors.at("kernel_overhead_s"), 0.1);
}

TEST(ParameterFit, OneWildMeasurementDoesNotBendIt) {
  const DeviceSpec start = load_device("nvidia-a100");
  DeviceSpec truth = start;
  truth.parameters["kernel_overhead_s"] *= 1.7;
  std::vector<LatencyMeasurement> measurements = measure_on(truth, 0.01);
  measurements[0].latency_ms *= 10;
  const ParameterFit fit = fit_parameters(start, measurements, kOptions);
  EXPECT_NEAR(fit.device.at("kernel_overhead_s") / truth.at("kernel_overhead_s"), 1, 0.15);
}

TEST(ParameterFit, SharesStayAtMostOne) {
  const DeviceSpec start = load_device("nvidia-a100");
  std::vector<LatencyMeasurement> measurements = measure_on(start, 0);
  for (LatencyMeasurement& measurement : measurements) measurement.latency_ms *= 0.1;
  EXPECT_LE(fit_parameters(start, measurements, kOptions).device.at("math_efficiency"), 1);
}

TEST(ParameterFit, UnmeasuredParametersKeepTheirPrior) {
  const DeviceSpec start = load_device("nvidia-a100");
  ParameterFitOptions options = kOptions;
  options.parameters.push_back({"winograd_efficiency", 0.3});  // fp16 networks take no fp32 kernel
  const ParameterFit fit = fit_parameters(start, measure_on(start, 0.01), options);
  EXPECT_NEAR(fit.device.at("winograd_efficiency"), start.at("winograd_efficiency"), 1e-6);
  EXPECT_NEAR(fit.relative_errors.at("winograd_efficiency"), 0.3, 1e-6);
}

}  // namespace
}  // namespace lathe::hwmodels

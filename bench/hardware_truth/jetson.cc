// TensorRT in fp16 on two Jetsons, batch 1: a check of the GPU model on other chips and on an engine that fuses. The rows of PyTorch are
// left out: they are bound by the host's launches.
#include <cmath>

#include "bench/hardware_truth/gpu_measurements.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/hardware_model.h"

namespace lathe::bench {
namespace {

struct Board {
  const char *column, *device;
};
constexpr Board kBoards[] = {{"jetson_nano", "jetson-nano"}, {"jetson_agx_xavier", "jetson-xavier"}};

// Each network by a calibration on all others of the board: they are few.
std::vector<double> left_out_errors(const std::vector<GpuMeasurement>& rows, const hwmodels::DeviceSpec& device) {
  hwmodels::ParameterFitOptions options;
  for (const char* key : {"math_efficiency", "direct_efficiency", "kernel_overhead_s", "convolution_overhead_s", "step_latency_s",
                          "tile_overhead_s", "dram_bytes_per_s"})
    options.parameters.push_back({key, 0.5});
  std::vector<double> errors;
  for (const GpuMeasurement& unseen : rows) {
    std::vector<hwmodels::LatencyMeasurement> others;
    for (const GpuMeasurement& row : rows) {
      if (row.model != unseen.model) others.push_back(row.measured);
    }
    if (others.empty()) continue;
    const auto model = hwmodels::make_hardware_model(hwmodels::fit_parameters(device, others, options).device);
    errors.push_back(std::abs(model->predict(unseen.measured.workload).latency_ms / unseen.measured.latency_ms - 1));
  }
  return errors;
}

}  // namespace

SectionResult jetson(const DataFolder& folder) {
  const std::vector<measurements::CsvRow> rows =
      folder.rows("torch2trt_jetson/jetson_tensorrt_dev.csv", {"device", "model", "tensorrt_latency_ms"});
  SectionResult result;
  std::vector<double> all;
  for (const Board& board : kBoards) {
    const GpuMeasurements data = read_jetson(rows, board.column, "tensorrt_latency_ms", /*is_fused=*/true);
    if (data.rows.empty()) continue;
    result.notes.insert(result.notes.end(), data.notes.begin(), data.notes.end());
    const hwmodels::DeviceSpec device = hwmodels::load_device(board.device);
    const auto model = hwmodels::make_hardware_model(device);
    std::vector<double> predicted, measured;
    for (const GpuMeasurement& row : data.rows) {
      predicted.push_back(model->predict(row.measured.workload).latency_ms);
      measured.push_back(row.measured.latency_ms);
    }
    const std::vector<double> errors = left_out_errors(data.rows, device);
    all.insert(all.end(), errors.begin(), errors.end());
    const double count = static_cast<double>(data.rows.size());
    result.rows.push_back({.dataset = "TensorRT fp16",
                           .device = board.column,
                           .protocol = "data sheet",
                           .metrics = {{"median error %", 100 * measurements::median_relative_error(predicted, measured)},
                                       {"Spearman", measurements::spearman(predicted, measured)},
                                       {"networks", count}}});
    result.rows.push_back({.dataset = "TensorRT fp16",
                           .device = board.column,
                           .protocol = "calibrated on the other networks",
                           .metrics = {{"median error %", 100 * measurements::median(errors)}, {"networks", count}}});
  }
  if (result.rows.empty()) throw MissingData("no row of a known board and network");
  result.means = {{"error %", 100 * measurements::median(all)}};
  return result;
}

}  // namespace lathe::bench

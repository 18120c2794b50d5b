// Rows of the h200 and torch2trt_jetson sets as workloads with their latency.
#pragma once

#include <string>
#include <vector>

#include "bench/measurements/csv.h"
#include "hwmodels/calibration/parameter_fit.h"

namespace lathe::bench {

struct GpuMeasurement {
  std::string model;  // "resnet50", "h56_ci64": what is left out together
  std::string dtype;  // "fp32", "tf32", "fp16"
  double width = 1;
  std::int64_t batch = 1;
  bool is_network = false;
  hwmodels::LatencyMeasurement measured;
};

struct GpuMeasurements {
  std::vector<GpuMeasurement> rows;
  std::vector<std::string> notes;  // models that are not known here, parameter counts that differ from the file's
};

GpuMeasurements read_h200(const std::vector<measurements::CsvRow>& rows);

// `column`: of the latency in milliseconds. Fused as TensorRT does, or an operator a kernel as PyTorch.
GpuMeasurements read_jetson(const std::vector<measurements::CsvRow>& rows, const std::string& device, const std::string& column,
                            bool is_fused);

}  // namespace lathe::bench

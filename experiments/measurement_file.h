// The CSV file of measured networks that `lathe profile` writes and `lathe calibrate` reads; docs/calibration.md describes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policies/workload.h"

namespace lathe::experiments {

struct MeasuredNetwork {
  int line = 0;
  std::string model, policy;  // paths, found beside the CSV file where they are not absolute
  std::string device;         // what the rows say they were measured on
  std::string precision;      // "fp32", "fp16": the width of every layer; "int8": likewise where no policy is given; else the policy's
  int batch = 1;
  std::optional<int> threads;
  std::optional<double> latency_ms;  // the median; empty: a network that could be measured
};

// Rows of whole networks; rows of single layers are left out. Throws UserError with every fault of the file, each with its line.
std::vector<MeasuredNetwork> read_measurement_file(const std::string& path);

// The network's operators under its policy and batch. Throws UserError where a file is missing or the policy does not fit.
policies::Workload workload_of(const MeasuredNetwork& network);

}  // namespace lathe::experiments

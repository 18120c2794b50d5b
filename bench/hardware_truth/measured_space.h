// A search space whose architectures were measured on many devices: features of each architecture and a column of latencies a device.
#pragma once

#include <Eigen/Core>
#include <functional>
#include <string>
#include <vector>

#include "bench/measurements/csv.h"

namespace lathe::bench {

// How runtimes may execute an architecture: each gives it other features.
struct RuntimeHypothesis {
  std::string name;
  double probability = 1;    // before measuring
  Eigen::MatrixXd features;  // a row an architecture
};

struct MeasuredDevice {
  std::string name;            // the column
  std::string chip;            // the column without the batch
  std::string runtime;         // a hypothesis' name where the source of the data says it; "" where the measurements must tell
  std::vector<int> rows;       // architectures with a latency, ascending
  Eigen::VectorXd latency_ms;  // of these rows
};

struct MeasuredSpace {
  std::vector<RuntimeHypothesis> runtimes;
  std::vector<MeasuredDevice> devices;
};

// "titan_rtx_32" -> "titan_rtx", 32. A last part that is no power of two is a model number and stays ("silver_4114"), batch 1.
struct DeviceColumn {
  std::string chip;
  int batch = 1;
};
DeviceColumn parse_device_column(const std::string& name);

// The column `name`; rows for which `is_used` is false or whose latency is missing or not above 0 are left out.
MeasuredDevice measured_device(const std::vector<measurements::CsvRow>& rows, const std::string& name,
                               const std::function<bool(const measurements::CsvRow&)>& is_used);

// With fewer latencies there is nothing to rank after some were measured.
inline constexpr std::size_t kFewestRows = 4;
// Adds the device unless it has fewer than that.
void add_device(MeasuredDevice device, MeasuredSpace& space);

// Rows of `m`.
Eigen::MatrixXd rows_of(const Eigen::MatrixXd& m, const std::vector<int>& rows);

// Roles in the protocol of HELP (H. Lee et al., Hardware-adaptive efficient latency prediction, NeurIPS 2021): devices that
// teach the predictor, and devices that it is judged on.
bool is_training_chip(const std::string& chip);
bool is_unseen_chip(const std::string& chip);
// Latencies that a model computed; they are no test of agreement with hardware.
bool is_modelled_chip(const std::string& chip);

}  // namespace lathe::bench

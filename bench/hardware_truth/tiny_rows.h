// Rows of MLPerf Tiny's ARM systems with what the micro-controller model says of each.
#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "bench/hardware_truth/section.h"

namespace lathe::bench {

// Where the predicted time goes: the columns of TinyTable::shares.
enum TinyKernel { kTinyWindowed, kTinyPointwise, kTinyDepthwise, kTinyDense, kTinyOverhead, kTinyKernels };

// One row a measurement; all members have as many.
struct TinyTable {
  std::vector<std::string> chip, task;
  // engine: the inference engine's name; release: with its version; system: a submission's rows belong together.
  std::vector<int> chip_id, task_id, engine_id, release_id, system_id;
  Eigen::VectorXd log_measured, log_predicted;  // of seconds
  Eigen::MatrixXd shares;                       // x kTinyKernels; rows add up to 1
  // Of joules an inference; not a number where no energy was measured.
  Eigen::VectorXd log_measured_energy, log_predicted_energy;
  int rows() const { return static_cast<int>(log_measured.size()); }
};

// Closed division, one of the four reference networks, a Cortex-M whose clock is known. `left_out` counts other rows.
TinyTable tiny_table(const DataFolder& data, int& left_out);

}  // namespace lathe::bench

// Rows of the DPU throughput table with what can be said of each before any measurement: the file gives a network's operations and input
// size, not its layers, so the prediction is board peak, clock and engines, pixels that the host prepares, and a start.
#pragma once

#include <Eigen/Core>
#include <string>
#include <utility>
#include <vector>

#include "bench/hardware_truth/section.h"

namespace lathe::bench {

// One row an image rate: of one host thread, or of many. All members have as many.
struct DpuTable {
  std::vector<std::string> family, model, board;
  // setting: board and threads; architecture: boards that share the engine's design;
  // fabric: AI engines, or DSP slices of the FPGA; host: whether an embedded or a server processor
  // prepares images; threads: one or many; variant: networks of one family of equal size.
  std::vector<int> family_id, board_id, setting_id, architecture_id, fabric_id, host_id, threads_id, variant_id;
  Eigen::VectorXd log_measured, log_predicted;  // of seconds an image
  Eigen::VectorXd log_operations;               // of 1e9
  Eigen::VectorXd pruned;                       // -log(1 - fraction of the operations that pruning removed)
  Eigen::MatrixXd network;                      // x 3: operations, pixels, share of the time at the board's peak; each about -1 to 1
  int rows() const { return static_cast<int>(log_measured.size()); }
};

// Rows that are not suspect.
DpuTable dpu_table(const DataFolder& data);

// A pruned network and the whole one that it was pruned from, in the same setting.
struct PrunedPair {
  int pruned = 0, whole = 0;  // rows
};
std::vector<PrunedPair> pruned_pairs(const DpuTable& table);

}  // namespace lathe::bench

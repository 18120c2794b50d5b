// Rows of ncnn's benchmark tables with what the ARM model says of each: the predicted time from the heading's data sheet, and the share
// of it that each kind of kernel takes, which is what a calibration can correct.
#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "bench/hardware_truth/section.h"

namespace lathe::bench {

// Where the predicted time goes: the columns of NcnnTable::shares.
enum NcnnKernel {
  kPointwise,  // 1x1 convolutions
  kWindowed,   // convolutions without a fast algorithm
  kWinograd,   // 3x3 convolutions of stride 1
  kDepthwise,
  kGrouped,
  kDense,      // products of one row
  kAttention,  // products of many rows
  kVector,
  kQuantization,  // floats to bytes before an int8 layer
  kInt8Pointwise,
  kInt8Windowed,
  kInt8Winograd,
  kInt8Depthwise,
  kMemory,    // waiting for caches and DRAM
  kOverhead,  // starting operators, joining threads
  kNcnnKernels
};

// One row a measurement; all members have as many.
struct NcnnTable {
  std::vector<std::string> soc, network;
  std::vector<int> soc_id, run_id, network_id, family_id;  // family: a network in float and int8
  Eigen::VectorXd log_measured, log_predicted;             // of seconds
  Eigen::MatrixXd shares;                                  // x kNcnnKernels; rows add up to 1
  // x 5: fp16 arithmetic, out of order, log2 threads, log clock, memory bandwidth for the arithmetic; each about -1 to 1.
  Eigen::MatrixXd hardware;
  int rows() const { return static_cast<int>(log_measured.size()); }
};

// CPU rows of ARM boards whose network is in the layer table.
NcnnTable ncnn_table(const DataFolder& data);

}  // namespace lathe::bench

// ARM CPU: a roofline for each operator over the kernels that inference engines have (matrix product, Winograd, depthwise, vector).
//
//   compute = ceil(tiles / threads) * tile_pixels * tile_channels * (K + tile_overhead_k) / (macs_per_cycle * efficiency * clock)
//             + transforms and unpacking
//   memory  = max(cache traffic / cache bandwidth, DRAM traffic / DRAM bandwidth)
//   latency = max(compute, memory) + (1 - memory_overlap) * min(compute, memory) + op_overhead + thread_overhead * log2(threads)
//
// Register tiles: a kernel computes tile_pixels x tile_channels outputs at a time, so both extents are rounded up, and starting and
// storing a tile costs as much as tile_overhead_k steps of the reduction (Goto and van de Geijn, Anatomy of High-Performance Matrix
// Multiplication, ACM TOMS 2008, section 4). Winograd F(4x4, 3x3) does 36 products for 16 outputs and nine weights (Lavin and Gray, Fast
// Algorithms for Convolutional Neural Networks, CVPR 2016, section 4.3), between transforms. DRAM traffic: weights once, and as much of
// the operator's input and output as exceeds the last-level cache.
//
// The quickest of the kernels that can do the work is taken, over arithmetic types at least as wide as the operands, and over weights
// kept packed (fewer bytes, unpacked on the fly) or unpacked at load. So latency never rises when bits fall or when channels fall.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_arm_model(DeviceSpec device);

}  // namespace lathe::hwmodels

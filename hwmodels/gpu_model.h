// NVIDIA GPU: implicit matrix products in tiles over the multiprocessors, the rest bound by memory.
//
//   waves   = ceil(groups * ceil(M / tile_m) * ceil(N / tile_n) * split / multiprocessors)
//   step    = max(tile_m * tile_n * step_k / (macs_per_cycle * efficiency), (tile_m + tile_n) * step_k * bytes / shared bandwidth) / clock
//   compute = waves * (ceil(K / (split * step_k)) * step + tile_overhead)
//   memory  = max(L2 traffic / L2 bandwidth, DRAM traffic / DRAM bandwidth)
//   latency = max(compute, memory) + kernels * kernel_overhead               (kernels: 2 with a split reduction, else 1)
//
// Minimal over the tile shapes and over splits of the reduction that libraries offer (NVIDIA, Deep Learning Performance: Matrix
// Multiplication Background, sections 3 and 4: tile and wave quantization; Convolutional Layers User's Guide: implicit GEMM sizes). On
// tensor cores the channels of both operands are padded to channel_alignment_bytes. DRAM traffic: weights once, and as much of the
// operator's input and output as exceeds the second-level cache. Depthwise convolution and everything without a product run outside
// tensor cores. A width that the device lacks runs at the next wider one; packed weights are unpacked in registers, which is free beside
// the matrix units. Latency never rises when bits or channels fall, since the choice is over types at least as wide as the operands.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_gpu_model(DeviceSpec device);

}  // namespace lathe::hwmodels

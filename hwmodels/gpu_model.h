// NVIDIA GPU: implicit matrix products in tiles over the multiprocessors, the rest bound by memory.
//
//   waves   = ceil(groups * ceil(M / tile_m) * ceil(N / tile_n) * split / multiprocessors)
//   step    = max(tile_m * tile_n * step_k / (macs_per_cycle * efficiency * clock), (tile_m + tile_n) * step_k * bytes / shared bandwidth,
//                 step_latency)
//   compute = waves * (ceil(K / (split * step_k)) * step + tile_overhead)
//   memory  = max(L2 traffic / L2 bandwidth, DRAM traffic / DRAM bandwidth)
//   latency = max(compute, memory) + overheads of the kernels
//
// Minimal over the tile shapes and, for products that are no convolution, over splits of the reduction (NVIDIA, Deep Learning Performance:
// Matrix Multiplication Background, sections 3 and 4: tile and wave quantization; Convolutional Layers User's Guide: implicit GEMM sizes).
// step_latency: a step waits for its loads, however small the tile. On tensor cores the channels of both operands are padded to
// channel_alignment_bytes. DRAM traffic: weights once, and as much of the operator's input and output as exceeds what the second-level cache
// holds.
//
// Other ways, where they are quicker: Winograd's algorithm for fp32 3x3 convolutions; a direct kernel outside of tensor cores for grouped
// convolutions, the only one for depthwise. Passes over memory take as long as their bytes, or the elements that they index (copies, numbers for
// each channel, pooling), or the rows that they reduce. A width that the device lacks runs at the next wider one; packed weights are unpacked
// in registers, which is free beside the matrix units. Latency never rises when bits or channels fall, since the choice is over types at
// least as wide as the operands.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_gpu_model(DeviceSpec device);

}  // namespace lathe::hwmodels

// x86 CPU with AVX2 or AVX-512 under ONNX Runtime (MLAS kernels): matrix products in vector blocks of output channels, fp32 or int8 dot
// products (VNNI).
//
//   compute = outputs * (K + tile_overhead_k) / (macs_per_cycle * efficiency * clock * threads)
//   memory  = max(cache traffic / cache bandwidth, DRAM traffic / DRAM bandwidth)
//   latency = max(compute, memory) + op_overhead in fp32, compute + memory + int8_op_overhead in int8
//             (+ thread_overhead with more than one thread)
//
// outputs: output channels rounded up to channel_block lanes, as the blocked layout of the fp32 convolutions and the panels of the int8
// products are; K of int8 to reduction_granule. An int8 convolution with a window copies its input window by window first; fp32 ones read
// it in place. Layers whose weights and activations both have at most 8 bits run in int8, all others in fp32: ONNX Runtime does what the
// file says. So unlike on other devices latency may rise when bits fall: MLAS has no fast int8 kernel for depthwise convolutions.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_x86_cpu_model(DeviceSpec device);

}  // namespace lathe::hwmodels

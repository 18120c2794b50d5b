// x86 CPU with AVX2 or AVX-512 under ONNX Runtime (MLAS kernels): matrix products in vector blocks of output channels, fp32 or int8 dot
// products (VNNI).
//
//   compute = outputs * (K + tile_overhead_k) / (macs_per_cycle * efficiency * clock * threads)
//   memory  = max(cache traffic / cache bandwidth, DRAM traffic / DRAM bandwidth)
//   latency = max(compute, memory) + op_overhead (+ thread_overhead with more than one thread)
//
// outputs: output channels rounded up to channel_block lanes, as the blocked layout of the fp32 convolutions and the panels of the int8
// products are; K of int8 to reduction_granule. An int8 convolution with a window copies its input window by window first; fp32 ones read
// it in place. Widths other than 8 and 32 run as the next wider one. Latency never rises when bits fall, since the wider type is a choice
// too.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_x86_cpu_model(DeviceSpec device);

}  // namespace lathe::hwmodels

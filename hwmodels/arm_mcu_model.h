// Micro-controllers (Cortex-M) with kernels in the way of CMSIS-NN: one core, no cache worth modelling, weights in flash, activations in
// SRAM.
//
//   cycles  = MACs (padded) * cycles_per_mac * factor + im2col elements * im2col_cycles + outputs * output_cycles + op_overhead
//   latency = max(cycles, weight bytes / flash_bytes_per_cycle) / clock
//   energy  = latency * clock * active energy a cycle + MACs * energy each + weight bytes * energy each + static power * latency
//
// A convolution copies two windows at a time into a buffer, widened to 16 bits, and multiplies pairs of them (SMLAD: two 16-bit products
// a cycle) or sixteen bytes at a time (Helium); a depthwise convolution has no channels to reduce over and a dense layer no second window
// to share its weights with, so both take more cycles a multiply-accumulate (L. Lai, N. Suda and V. Chandra, CMSIS-NN: Efficient Neural
// Network Kernels for Arm Cortex-M CPUs, arXiv 1801.06601, sections 3.1 to 3.4). A 1x1 convolution of stride 1 is copied as well: the
// kernel needs 16 bits.
//
// SRAM and flash are hard limits: a policy whose activations or weights exceed what the runtime leaves is infeasible, with the reason.
// The quickest arithmetic type at least as wide as the operands is taken, so latency never rises when bits or channels fall.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_arm_mcu_model(DeviceSpec device);

}  // namespace lathe::hwmodels

// The three FPGA models.
//
// DPU (AMD DPUCZDX8G, product guide PG338): an int8 array of pixel x input-channel x output-channel parallelism (8 x 16 x 16 in B4096).
//   cycles = ceil(W_out / PP) * H_out * ceil(C_in / ICP) * ceil(C_out / OCP) * kernel area / array_efficiency
// Depthwise convolution, pooling and addition have engines of their own. An image runs on one engine; engines share a batch.
//
// Bit-serial overlay (Y. Umuroglu, L. Rasnayake, M. Sjalander, BISMO: A Scalable Bit-Serial Matrix Multiplication Overlay for
// Reconfigurable Computing, FPL 2018, section III): a product of w-bit by a-bit matrices is w * a binary products,
//   cycles = w * a * ceil(M / D_m) * ceil(N / D_n) * ceil(K / D_k) / array_efficiency
// The host processor pools, adds and moves; it also takes depthwise layers where it is the quicker one.
//
// Dataflow pipeline: see fpga_dataflow_model.h.
//
// All three compute integers only. A layer wider than the widest integer (8 bits) is charged as that width, since the tool chains of
// these devices quantize the whole network before they compile it; Prediction::notes says so.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_fpga_dpu_model(DeviceSpec device);
std::unique_ptr<HardwareModel> make_fpga_bit_serial_model(DeviceSpec device);
std::unique_ptr<HardwareModel> make_fpga_dataflow_model(DeviceSpec device);

}  // namespace lathe::hwmodels

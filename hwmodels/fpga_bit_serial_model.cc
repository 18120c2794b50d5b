#include <algorithm>
#include <utility>

#include "hwmodels/additive_model.h"
#include "hwmodels/fpga_model.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

struct BitSerialParameters {
  explicit BitSerialParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        rows(d.at("array_rows")),
        columns(d.at("array_columns")),
        depth(d.at("array_depth")),
        array_efficiency(d.at("array_efficiency")),
        on_chip_bytes(d.at("on_chip_bytes")),
        dram_bytes_per_s(d.at("dram_bytes_per_s")),
        overhead_s(d.at("op_overhead_s")),
        host_elements_per_s(d.at("host_elements_per_s")),
        binary_pj_per_mac(d.at("binary_pj_per_mac")),
        on_chip_pj_per_byte(d.at("on_chip_pj_per_byte")),
        dram_pj_per_byte(d.at("dram_pj_per_byte")) {}

  double clock_hz, rows, columns, depth, array_efficiency, on_chip_bytes, dram_bytes_per_s, overhead_s, host_elements_per_s;
  double binary_pj_per_mac, on_chip_pj_per_byte, dram_pj_per_byte;
};

class BitSerialEstimator final : public OpEstimator {
 public:
  explicit BitSerialEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    const OpBytes bytes = op_bytes(op, capabilities_);
    // A product of two activations has the second one in the place of weights.
    const int activation_bits = width_on_device(op.input_bits, capabilities_.activation_bits);
    const int weight_bits = op.weight_elements > 0 ? width_on_device(op.weight_bits, capabilities_.weight_bits) : activation_bits;
    const double bit_products = static_cast<double>(weight_bits) * activation_bits;
    const double host_s = std::max(demand.macs, demand.vector_ops) / p_.host_elements_per_s;
    const double array_s = bit_products * demand.groups * ceil_div(demand.m, p_.rows) * ceil_div(demand.n, p_.columns) *
                           ceil_div(demand.k, p_.depth) / (p_.array_efficiency * p_.clock_hz);
    const double dram_bytes = bytes.weights + std::max(0.0, bytes.input + bytes.output - p_.on_chip_bytes);
    OpEstimate estimate;
    switch (demand.kernel) {
      case KernelClass::kMatrix:
        estimate.compute_s = array_s;
        break;
      case KernelClass::kDepthwise:
        estimate.compute_s = std::min(array_s, host_s);
        break;
      case KernelClass::kVector:
        estimate.compute_s = host_s;
        break;
    }
    estimate.memory_s = dram_bytes / p_.dram_bytes_per_s;
    estimate.overhead_s = p_.overhead_s;
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + p_.overhead_s;
    // Element operations of the host are priced as 8 x 8 bit products.
    const double binary_macs = demand.kernel == KernelClass::kVector ? 64 * demand.vector_ops : bit_products * demand.macs;
    estimate.dynamic_j = (binary_macs * p_.binary_pj_per_mac + (bytes.input + bytes.output + bytes.weights) * p_.on_chip_pj_per_byte +
                          dram_bytes * p_.dram_pj_per_byte) *
                         1e-12;
    return estimate;
  }

 private:
  policies::DeviceCapabilities capabilities_;
  BitSerialParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_fpga_bit_serial_model(DeviceSpec device) {
  auto estimator = std::make_unique<BitSerialEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels

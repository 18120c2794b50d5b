#include <algorithm>
#include <utility>

#include "hwmodels/additive_model.h"
#include "hwmodels/fpga_model.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpKind;
using policies::OpWorkload;

struct DpuParameters {
  explicit DpuParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        cores(d.at("cores")),
        pixel_parallel(d.at("pixel_parallel")),
        input_parallel(d.at("input_channel_parallel")),
        output_parallel(d.at("output_channel_parallel")),
        depthwise_macs_per_cycle(d.at("depthwise_macs_per_cycle")),
        elementwise_per_cycle(d.at("elementwise_per_cycle")),
        array_efficiency(d.at("array_efficiency")),
        on_chip_bytes(d.at("on_chip_bytes")),
        dram_bytes_per_s(d.at("dram_bytes_per_s")),
        overhead_s(d.at("op_overhead_s")),
        pj_per_mac(d.at("int8_pj_per_mac")),
        on_chip_pj_per_byte(d.at("on_chip_pj_per_byte")),
        dram_pj_per_byte(d.at("dram_pj_per_byte")) {}

  double clock_hz, cores, pixel_parallel, input_parallel, output_parallel, depthwise_macs_per_cycle, elementwise_per_cycle;
  double array_efficiency, on_chip_bytes, dram_bytes_per_s, overhead_s;
  double pj_per_mac, on_chip_pj_per_byte, dram_pj_per_byte;
};

class DpuEstimator final : public OpEstimator {
 public:
  explicit DpuEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    const OpBytes bytes = op_bytes(op, capabilities_);
    const double images = static_cast<double>(std::max<std::int64_t>(op.batch, 1));
    double cycles = 0;
    switch (demand.kernel) {
      case KernelClass::kMatrix:
        cycles = convolution_cycles(op, demand, images);
        break;
      case KernelClass::kDepthwise: {
        const double channels = round_up(demand.groups * demand.n, p_.input_parallel);
        cycles = demand.m / images * demand.k * channels / p_.depthwise_macs_per_cycle;
        break;
      }
      case KernelClass::kVector:
        cycles = demand.vector_ops / images / p_.elementwise_per_cycle;
        break;
    }
    return finish(cycles, std::max(demand.macs, demand.vector_ops), bytes, images);
  }

 private:
  // Cycles of one engine for one image.
  double convolution_cycles(const OpWorkload& op, const OpDemand& demand, double images) const {
    // A row of outputs is cut into groups of PP pixels; a transposed convolution scatters input pixels instead, and a product of matrices
    // has one row.
    const bool is_transposed = op.kind == OpKind::kConvTranspose;
    const double width = static_cast<double>(is_transposed ? op.in_width : op.out_width);
    const double pixel_groups = op.kind == OpKind::kConv || is_transposed
                                    ? ceil_div(width, p_.pixel_parallel) * demand.m / std::max(1.0, width * images)
                                    : ceil_div(demand.m / images, p_.pixel_parallel);
    const double taps = is_transposed ? 1 : demand.window;
    return demand.groups * pixel_groups * ceil_div(demand.k / taps, p_.input_parallel) * ceil_div(demand.n, p_.output_parallel) * taps /
           p_.array_efficiency;
  }

  OpEstimate finish(double cycles, double operations, const OpBytes& bytes, double images) const {
    const double image_bytes = (bytes.input + bytes.output) / images;
    const double image_dram_bytes = bytes.weights + std::max(0.0, image_bytes - p_.on_chip_bytes);
    const double rounds = ceil_div(images, p_.cores);
    OpEstimate estimate;
    estimate.compute_s = rounds * cycles / p_.clock_hz;
    estimate.memory_s = rounds * image_dram_bytes / p_.dram_bytes_per_s;
    estimate.overhead_s = rounds * p_.overhead_s;
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + estimate.overhead_s;
    estimate.dynamic_j = (operations * p_.pj_per_mac + images * (image_bytes + bytes.weights) * p_.on_chip_pj_per_byte +
                          images * image_dram_bytes * p_.dram_pj_per_byte) *
                         1e-12;
    return estimate;
  }

  policies::DeviceCapabilities capabilities_;
  DpuParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_fpga_dpu_model(DeviceSpec device) {
  auto estimator = std::make_unique<DpuEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels

#include "hwmodels/dataflow_stage.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

// Aspect ratios of a block RAM of 18 kbit: AMD UG573, UltraScale Architecture Memory Resources.
struct BramShape {
  double width, depth;
};
constexpr BramShape kBram18Shapes[] = {{1, 16384}, {2, 8192}, {4, 4096}, {9, 2048}, {18, 1024}, {36, 512}};
constexpr double kBram18Bits = 18432;
// A look-up table of a SLICEM holds 64 bits: AMD UG574.
constexpr double kLutMemoryDepth = 64;

// A memory that is read at one address a cycle.
double weight_bram36(double width, double depth) {
  double best = -1;
  for (const BramShape& shape : kBram18Shapes) {
    const double count = ceil_div(width, shape.width) * ceil_div(depth, shape.depth);
    if (best < 0 || count < best) best = count;
  }
  return best / 2;
}

// A buffer whose rows may be cut in any way, as long as `width` bits can be read a cycle.
double buffer_bram36(double bits, double width) {
  return bits > 0 ? std::max(ceil_div(bits, kBram18Bits), ceil_div(width, kBram18Shapes[std::size(kBram18Shapes) - 1].width)) / 2 : 0;
}

// Rounds over the inputs of an output: SIMD lanes take channels of one tap, or all channels of several taps.
double input_rounds(const DataflowStage& stage, double simd) {
  const double channels = std::max(1.0, std::round(stage.k / stage.window));
  return simd <= channels ? stage.window * ceil_div(channels, simd) : ceil_div(stage.window, std::floor(simd / channels));
}

// Distinct numbers of lanes that n items can be given to, least lanes for each number of rounds.
std::vector<double> lane_counts(double n) {
  std::vector<double> counts;
  const auto items = static_cast<long long>(n);
  for (long long lanes = items; lanes >= 1;) {
    counts.push_back(static_cast<double>(lanes));
    if (lanes == 1) break;
    const long long rounds = (items + lanes - 1) / lanes + 1;
    lanes = std::min(lanes - 1, (items + rounds - 1) / rounds);
  }
  return counts;
}

double images_of(const policies::OpWorkload& op) {
  return static_cast<double>(std::max<std::int64_t>(op.batch, 1));
}

// Share of the image that a window must see: its rows but one, of the rows there are.
double window_fill(std::int64_t kernel, std::int64_t height) {
  return height <= 1 ? (kernel > 1 ? 1.0 : 0.0) : std::min(1.0, static_cast<double>(kernel - 1) / static_cast<double>(height));
}

void fill_matrix_stage(const policies::OpWorkload& op, const OpDemand& demand, DataflowStage& stage) {
  stage.has_multipliers = true;
  stage.window = op.kind == policies::OpKind::kConvTranspose ? 1 : demand.window;
  const bool is_activation_product = op.weight_elements == 0;
  stage.groups = is_activation_product ? demand.groups / images_of(op) : demand.groups;
  stage.pixels = is_activation_product ? demand.m : demand.m / images_of(op);
  stage.n = std::max(1.0, demand.n);
  stage.k = std::max(1.0, demand.k);
  stage.macs = stage.pixels * stage.groups * stage.n * stage.k;
}

}  // namespace

DataflowParameters::DataflowParameters(const DeviceSpec& device)
    : chip{device.at("luts"), device.at("bram36"), device.at("dsps")},
      layer_base_luts(device.at("layer_base_luts")),
      lut_overhead_factor(device.at("lut_overhead_factor")),
      luts_per_pe(device.at("luts_per_pe")),
      macs_per_dsp(device.at("macs_per_dsp")),
      luts_per_dsp_mac(device.at("luts_per_dsp_mac")) {}

DataflowStage dataflow_stage(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities) {
  const OpDemand demand = op_demand(op);
  DataflowStage stage;
  stage.activation_bits = width_on_device(op.input_bits, capabilities.activation_bits);
  stage.output_bits = width_on_device(op.output_bits, capabilities.activation_bits);
  stage.weight_bits = op.weight_elements > 0 ? width_on_device(op.weight_bits, capabilities.weight_bits) : stage.activation_bits;
  const double images = images_of(op);
  if (demand.kernel == KernelClass::kVector) {
    // Channels in parallel where they are known, pixel after pixel.
    stage.n = static_cast<double>(std::max<std::int64_t>(1, op.out_channels));
    // An element-wise operator takes all its inputs at once.
    const double operations = op.kind == policies::OpKind::kElementwise ? static_cast<double>(op.output_elements) : demand.vector_ops;
    stage.pixels = std::max(1.0, std::ceil(operations / images / stage.n));
  } else {
    fill_matrix_stage(op, demand, stage);
  }
  const double row_bits = static_cast<double>(op.in_width * std::max<std::int64_t>(1, op.in_channels)) * stage.activation_bits;
  if (op.kernel_height > 1 || op.kernel_width > 1) {
    // The window's rows but one, and the row that is arriving.
    stage.buffer_bits = row_bits * static_cast<double>(op.kernel_height);
    stage.fill = window_fill(op.kernel_height, op.in_height);
  } else if (op.kind == policies::OpKind::kElementwise && op.input_elements > op.output_elements) {
    // The skipped branch waits for two windows of three rows on the other branch, as in a residual block: four rows.
    constexpr double kResidualRows = 4;
    const double rows = static_cast<double>(std::max<std::int64_t>(1, op.out_height));
    stage.buffer_bits = static_cast<double>(op.output_elements) / images * stage.activation_bits * std::min(1.0, kResidualRows / rows);
  } else if (op.kind == policies::OpKind::kReduction || (op.kind == policies::OpKind::kPool && op.in_height > op.out_height)) {
    stage.fill = 1;  // a global pool or a sum over an axis
  }
  return stage;
}

FoldingOption folding_option(const DataflowStage& stage, const Folding& folding, const DataflowParameters& p) {
  const double s = stage.weight_bits + stage.activation_bits;
  const double rounds = stage.groups * ceil_div(stage.n, folding.pe) * input_rounds(stage, folding.simd);
  FoldingOption option{.cycles = stage.pixels * rounds, .resources = {}, .folding = folding};
  double luts = 0, bram = buffer_bram36(stage.buffer_bits, folding.simd * stage.activation_bits);
  if (stage.has_multipliers) {
    const double multiplier = (2 * std::ceil(s / 6) - 1) * s;
    const double products = folding.pe * folding.simd;
    const double accumulators = folding.pe * (s + std::ceil(std::log2(std::max(2.0, stage.k))));
    luts = folding.pe * (2 * folding.simd - 1) * s + accumulators + folding.pe * p.luts_per_pe;
    if (folding.uses_dsp) {
      option.resources[kDsp] = ceil_div(products, p.macs_per_dsp);
      luts = accumulators + folding.pe * p.luts_per_pe + products * p.luts_per_dsp_mac;
    } else {
      luts += products * multiplier;
    }
    const double width = products * stage.weight_bits;
    if (folding.uses_lut_memory) {
      luts += width * ceil_div(rounds, kLutMemoryDepth);
    } else {
      bram += weight_bram36(width, rounds);
    }
  } else {
    // An adder or comparator of the element's width for each lane.
    luts = folding.pe * (stage.activation_bits + stage.output_bits);
  }
  option.resources[kLut] = p.layer_base_luts + p.lut_overhead_factor * luts;
  option.resources[kBram36] = bram;
  return option;
}

std::vector<FoldingOption> folding_options(const DataflowStage& stage, const DataflowParameters& parameters) {
  std::vector<FoldingOption> all;
  const std::vector<double> pes = lane_counts(stage.n);
  if (!stage.has_multipliers) {
    for (const double pe : pes) all.push_back(folding_option(stage, {.pe = pe}, parameters));
    return all;
  }
  const double channels = std::max(1.0, std::round(stage.k / stage.window));
  std::vector<double> simds = lane_counts(channels);
  for (double taps = 2; taps <= stage.window; ++taps) {
    // Several taps at a time need all channels of each; only numbers that divide the window evenly keep its control simple.
    if (std::fmod(stage.window, taps) == 0) simds.push_back(channels * taps);
  }
  for (const double pe : pes) {
    for (const double simd : simds) {
      for (const bool uses_dsp : {false, true}) {
        for (const bool uses_lut_memory : {false, true}) {
          all.push_back(
              folding_option(stage, {.pe = pe, .simd = simd, .uses_dsp = uses_dsp, .uses_lut_memory = uses_lut_memory}, parameters));
        }
      }
    }
  }
  return all;
}

}  // namespace lathe::hwmodels

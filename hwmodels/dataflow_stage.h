// One operator as a stage of a dataflow pipeline, and what each folding of it costs.
//
// A folding gives a stage PE processing elements (output channels at a time) of SIMD lanes (inputs at a time):
//   cycles = pixels * groups * ceil(N / PE) * taps * ceil(C / SIMD)          (SIMD <= C, the channels of a group)
//   cycles = pixels * groups * ceil(N / PE) * ceil(taps / (SIMD / C))        (all channels of several taps)
// Channel counts that a folding does not divide are padded, so pruned networks fold as well as others. Look-up tables by the formula of
// M. Blott et al., FINN-R: An End-to-End Deep-Learning Framework for Fast Exploration of Quantized Neural Networks, ACM TRETS 2018,
// section 5, as FINN's code has it; for w-bit weights and a-bit activations, s = w + a:
//   luts = base + factor * PE * (SIMD * (2 ceil(s / 6) - 1) s + (2 SIMD - 1) s + s + ceil(log2 K))
// (multipliers, adder tree, accumulator). On DSP slices the first term goes, against PE * SIMD / macs_per_dsp slices. Weights lie in block
// RAM of the best of its shapes (AMD UG573), or in look-up tables of 64 bits each; line buffers and residual FIFOs in block RAM.
#pragma once

#include <array>
#include <vector>

#include "hwmodels/device_spec.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

// Look-up tables, block RAMs of 36 kbit, DSP slices.
inline constexpr int kFoldingResources = 3;
using ResourceVector = std::array<double, kFoldingResources>;
enum ResourceIndex { kLut = 0, kBram36 = 1, kDsp = 2 };
inline bool is_within(const ResourceVector& used, const ResourceVector& limits) {
  return used[kLut] <= limits[kLut] && used[kBram36] <= limits[kBram36] && used[kDsp] <= limits[kDsp];
}

// What a stage must do for one image.
struct DataflowStage {
  double pixels = 1;  // output positions
  double groups = 1;
  double n = 1, k = 1;  // output channels and inputs (channels x window) of a group
  double window = 1;    // taps; the SIMD lanes take channels first, then taps
  bool has_multipliers = false;
  int weight_bits = 0, activation_bits = 8, output_bits = 8;
  double buffer_bits = 0;  // line buffers or residual FIFO
  double fill = 0;         // share of the input image that must arrive before the first output leaves
  double macs = 0;
  bool operator==(const DataflowStage&) const = default;
};

DataflowStage dataflow_stage(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities);

// Numbers of the device, read once.
struct DataflowParameters {
  explicit DataflowParameters(const DeviceSpec& device);
  // Of the whole chip.
  ResourceVector chip{};
  double layer_base_luts, lut_overhead_factor, luts_per_pe, macs_per_dsp, luts_per_dsp_mac;
};

struct Folding {
  double pe = 1, simd = 1;
  bool uses_dsp = false;         // multipliers on DSP slices
  bool uses_lut_memory = false;  // weights in look-up tables
  bool operator==(const Folding&) const = default;
};

struct FoldingOption {
  double cycles = 0;  // for one image
  ResourceVector resources{};
  Folding folding;
};

FoldingOption folding_option(const DataflowStage& stage, const Folding& folding, const DataflowParameters& parameters);

// Every folding that may be of use: least lanes for each number of rounds, multipliers and weights either way.
std::vector<FoldingOption> folding_options(const DataflowStage& stage, const DataflowParameters& parameters);

}  // namespace lathe::hwmodels

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
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <tuple>
#include <vector>

#include "hwmodels/device_spec.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

// Look-up tables, block RAMs of 36 kbit, DSP slices.
inline constexpr int kFoldingResources = 3;
using ResourceVector = std::array<double, kFoldingResources>;
enum ResourceIndex { kLut = 0, kBram36 = 1, kDsp = 2 };

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

// Eight options side by side in one line of the cache, so that the cheapest of them at some prices is found without a branch. Resources are
// in kUnits, rounded up: what fits in units fits in truth.
struct alignas(64) FrontBlock {
  static constexpr int kWidth = 8;
  static constexpr ResourceVector kUnits{8, 0.5, 1};
  // A block that is not full ends in options that no price makes the cheapest.
  static constexpr std::uint16_t kNever = 0xFFFF;
  std::array<std::array<std::uint16_t, kWidth>, kFoldingResources> resources;
  std::array<std::uint16_t, kWidth> option{};  // index into StageOptions::options
};

// The foldings of a stage that no other one beats in cycles and every resource.
struct StageOptions {
  std::vector<FoldingOption> options;  // by rising cycles, each number of cycles a level
  std::vector<double> level_cycles;    // rising
  // Of the options of at most level_cycles[l] cycles, those that no other of them beats in every resource:
  // blocks[level_begin[l]] .. blocks[level_begin[l + 1] - 1]. Options too large for the blocks (524,280 look-up tables) are left out.
  std::vector<FrontBlock> blocks;
  std::vector<std::uint32_t> level_begin;
};
StageOptions stage_options(const DataflowStage& stage, const DataflowParameters& parameters);

// Keeps the options of the stages that it has seen: equal layers, and candidates that agree on a layer, share them. Thread-safe.
class StageOptionsCache {
 public:
  std::shared_ptr<const StageOptions> get(const DataflowStage& stage, const DataflowParameters& parameters);

 private:
  // What the options depend on: pixels, groups, n, k, window, buffer bits; multipliers, widths of weights, activations, outputs.
  using Key = std::tuple<std::array<double, 6>, std::array<int, 4>>;
  std::shared_mutex mutex_;
  std::map<Key, std::shared_ptr<const StageOptions>> known_;
};

}  // namespace lathe::hwmodels

// A network as one pipeline on an FPGA (FINN): every operator is a stage with its own share of the chip, foldings by folding_solver.h.
//
//   throughput = one image every II cycles (the slowest stage)
//   latency of a batch = (sum_i fill_i + batch) * II / clock + host overhead
//
// fill_i: the share of its input that stage i must see before its first output (the window's rows but one; all of it for a global pool).
// A stage that is quicker than II waits for its input, so each stage spreads an image over II cycles. Branches count as if in sequence:
// the longer one decides, and the residual FIFO holds the other. Weights and activations stay on the chip; only the network's input and
// output pass the memory.
#pragma once

#include <span>
#include <vector>

#include "hwmodels/folding_solver.h"
#include "hwmodels/hardware_model.h"
#include "hwmodels/stage_options_cache.h"

namespace lathe::hwmodels {

// One operator, with all that the pipeline needs of it; does not depend on other operators, so it can be kept in a table.
// One line of the cache.
struct alignas(64) PreparedStage {
  StageView options;
  double fill = 0;
  double image_pj = 0;                     // dynamic energy of one image, multipliers in look-up tables
  double dsp_saving_pj = 0;                // less this where they are on DSP slices (may be negative)
  double input_bits = 0, output_bits = 0;  // of one image
};

struct PipelineFigures {
  double latency_ms = 0, energy_mj = 0;
  bool is_feasible = true;
};

// All of an operator that its stage depends on.
struct StageDescription {
  DataflowStage stage;
  double input_bits = 0, output_bits = 0;  // of one image
  bool operator==(const StageDescription&) const = default;
};

class DataflowPlanner {
 public:
  explicit DataflowPlanner(const DeviceSpec& device);

  StageDescription describe(const policies::OpWorkload& op) const;
  // `cache` must outlive the result.
  PreparedStage prepare(const StageDescription& description, StageOptionsCache& cache) const;
  // Stages in network order. images: the batch. The first stage reads the network's input from memory, the last one writes its output.
  // `workspace` keeps its memory between calls and holds the folding afterwards; one a thread.
  struct Workspace {
    std::vector<StageView> options;
    FoldingSolver solver;
    const FoldingSolution* folding = nullptr;
  };
  PipelineFigures plan(std::span<const PreparedStage* const> stages, double images, Workspace& workspace) const;
  const ResourceVector& limits() const { return limits_; }
  double clock_hz() const { return clock_hz_; }
  double static_power_w() const { return static_power_w_; }
  double flip_flops_per_lut() const { return flip_flops_per_lut_; }

 private:
  policies::DeviceCapabilities capabilities_;
  DataflowParameters parameters_;
  ResourceVector limits_{};
  double clock_hz_, host_overhead_s_, flip_flops_per_lut_, lut_pj_per_bit_mac_, dsp_pj_per_mac_, on_chip_pj_per_byte_, dram_pj_per_byte_;
  double dram_bytes_per_s_, static_power_w_;
};

}  // namespace lathe::hwmodels

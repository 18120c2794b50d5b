#include "hwmodels/fpga_dataflow_model.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <utility>
#include <vector>

#include "hwmodels/additive_model.h"
#include "hwmodels/fpga_model.h"
#include "hwmodels/memory_use.h"
#include "hwmodels/op_demand.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

// `needed` is above at least one limit.
std::string reason_of(const ResourceVector& needed, const ResourceVector& limits) {
  constexpr const char* kNames[kFoldingResources] = {"look-up tables", "block RAMs of 36 kbit", "DSP slices"};
  std::ostringstream reason;
  for (int r = 0; r < kFoldingResources; ++r) {
    if (needed[r] <= limits[r]) continue;
    reason << (reason.tellp() > 0 ? " and " : "does not fit: with its smallest foldings the network needs ") << std::fixed
           << std::setprecision(0) << std::ceil(needed[r]) << ' ' << kNames[r] << " (" << std::floor(limits[r]) << " are usable)";
  }
  return reason.str();
}

class FpgaDataflowModel final : public HardwareModel {
 public:
  explicit FpgaDataflowModel(DeviceSpec device)
      : device_(std::move(device)), planner_(device_), shell_luts_(device_.at("shell_luts")), shell_bram36_(device_.at("shell_bram36")) {}

  const DeviceSpec& device() const override { return device_; }
  bool is_additive() const override { return false; }
  OpCost op_cost(const OpWorkload& op) const override {
    LATHE_CHECK(false) << op.name << ": a dataflow pipeline has no cost of one operator";
    return {};
  }

  Prediction predict(const policies::Workload& workload) const override {
    std::vector<const OpWorkload*> ops;
    for (const OpWorkload& op : workload.ops) {
      if (!op.is_fused) ops.push_back(&op);
    }
    std::vector<PreparedStage> prepared;
    StageOptionsCache cache;  // of this call alone: a model keeps no state
    for (const OpWorkload* op : ops) prepared.push_back(planner_.prepare(planner_.describe(*op), cache));
    std::vector<const PreparedStage*> stages;
    for (const PreparedStage& stage : prepared) stages.push_back(&stage);
    const double images = ops.empty() ? 1 : static_cast<double>(std::max<std::int64_t>(ops.front()->batch, 1));
    DataflowPlanner::Workspace workspace;
    const PipelineFigures figures = planner_.plan(stages, images, workspace);
    return report(workload, ops, prepared, figures, workspace, images);
  }

 private:
  Prediction report(const policies::Workload& workload, const std::vector<const OpWorkload*>& ops, const std::vector<PreparedStage>& stages,
                    const PipelineFigures& figures, const DataflowPlanner::Workspace& workspace, double images) const {
    const FoldingSolution& folding = *workspace.folding;
    const ResourceVector used = used_resources(workspace.options, folding);
    Prediction prediction;
    prediction.latency_ms = figures.latency_ms;
    prediction.energy_mj = figures.energy_mj;
    prediction.average_power_w = figures.latency_ms > 0 ? figures.energy_mj / figures.latency_ms : planner_.static_power_w();
    prediction.is_calibrated = device_.is_calibrated;
    prediction.latency_log_deviation = device_.latency_log_deviation;
    prediction.notes = width_notes(device_, workload);
    prediction.weight_bytes = weight_bytes(workload, device_.capabilities);
    prediction.peak_activation_bytes = peak_activation_bytes(workload, device_.capabilities);
    prediction.is_feasible = folding.is_feasible;
    if (!folding.is_feasible) prediction.reason = reason_of(used, planner_.limits());
    const double luts = used[kLut] + shell_luts_;
    prediction.resources =
        FpgaResources{.lut = luts, .ff = luts * planner_.flip_flops_per_lut(), .bram36 = used[kBram36] + shell_bram36_, .dsp = used[kDsp]};
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const FoldingOption& option = stages[i].options.options->options[folding.chosen[i]];
      // What the stage itself is busy for; stages overlap, so these do not add up to the latency.
      const double busy_ms = images * option.cycles / planner_.clock_hz() * 1e3;
      const double energy_mj = images * (stages[i].image_pj - (option.folding.uses_dsp ? stages[i].dsp_saving_pj : 0)) * 1e-9;
      prediction.layers.push_back({.name = ops[i]->name, .cost = {.latency_ms = busy_ms, .energy_mj = energy_mj}, .bound = "compute"});
    }
    return prediction;
  }

  DeviceSpec device_;
  DataflowPlanner planner_;
  double shell_luts_, shell_bram36_;
};

}  // namespace

DataflowPlanner::DataflowPlanner(const DeviceSpec& device)
    : capabilities_(device.capabilities),
      parameters_(device),
      clock_hz_(device.at("clock_hz")),
      host_overhead_s_(device.at("host_overhead_s")),
      flip_flops_per_lut_(device.at("flip_flops_per_lut")),
      lut_pj_per_bit_mac_(device.at("lut_pj_per_bit_mac")),
      dsp_pj_per_mac_(device.at("dsp_pj_per_mac")),
      on_chip_pj_per_byte_(device.at("on_chip_pj_per_byte")),
      dram_pj_per_byte_(device.at("dram_pj_per_byte")),
      dram_bytes_per_s_(device.at("dram_bytes_per_s")),
      static_power_w_(device.at("static_power_w")) {
  const double share = device.at("usable_share");
  // Flip-flops go with look-up tables, so the scarcer of the two is the limit.
  const double luts = std::min(device.at("luts"), device.at("flip_flops") / flip_flops_per_lut_);
  limits_[kLut] = luts * share - device.at("shell_luts");
  limits_[kBram36] = device.at("bram36") * share - device.at("shell_bram36");
  limits_[kDsp] = device.at("dsps") * share;
  // A device file whose surroundings fill the chip leaves next to nothing, and no network fits.
  for (double& limit : limits_) limit = std::max(limit, 1e-9);
}

StageDescription DataflowPlanner::describe(const OpWorkload& op) const {
  const OpBytes bytes = op_bytes(op, capabilities_);
  const double images = static_cast<double>(std::max<std::int64_t>(op.batch, 1));
  return {.stage = dataflow_stage(op, capabilities_), .input_bits = 8 * bytes.input / images, .output_bits = 8 * bytes.output / images};
}

PreparedStage DataflowPlanner::prepare(const StageDescription& description, StageOptionsCache& cache) const {
  const DataflowStage& stage = description.stage;
  PreparedStage prepared{.options = cache.get(stage, parameters_).view(),
                         .fill = stage.fill,
                         .input_bits = description.input_bits,
                         .output_bits = description.output_bits};
  const double bit_macs = stage.macs * stage.weight_bits * stage.activation_bits;
  // Each weight is read from its memory for each product; each activation is written to and read from a buffer once.
  const double weight_bytes = stage.macs * stage.weight_bits / 8;
  const double activation_bytes = 2 * stage.pixels * stage.groups * stage.n * stage.output_bits / 8;
  prepared.image_pj = bit_macs * lut_pj_per_bit_mac_ + (weight_bytes + activation_bytes) * on_chip_pj_per_byte_;
  prepared.dsp_saving_pj = bit_macs * lut_pj_per_bit_mac_ - stage.macs * dsp_pj_per_mac_;
  return prepared;
}

PipelineFigures DataflowPlanner::plan(std::span<const PreparedStage* const> stages, double images, Workspace& workspace) const {
  workspace.options.clear();
  double fill = 0;
  for (const PreparedStage* stage : stages) {
    // The solver will read these of all stages at once, instead of waiting for one after another.
    for (int line = 0; line < std::min<int>(stage->options.cycle_lines, 2); ++line) __builtin_prefetch(stage->options.lines + line);
    workspace.options.push_back(stage->options);
    fill += stage->fill;
  }
  const double io_bytes = stages.empty() ? 0 : (stages.front()->input_bits + stages.back()->output_bits) / 8;
  const double io_cycles = std::ceil(io_bytes / dram_bytes_per_s_ * clock_hz_);
  const FoldingSolution& solution = workspace.solver.solve(workspace.options, limits_, io_cycles);
  workspace.folding = &solution;
  const double latency_s = (fill + images) * solution.initiation_interval / clock_hz_ + host_overhead_s_;
  double image_pj = io_bytes * dram_pj_per_byte_;
  for (std::size_t i = 0; i < stages.size(); ++i) image_pj += stages[i]->image_pj - (solution.uses_dsp[i] ? stages[i]->dsp_saving_pj : 0);
  return {.latency_ms = latency_s * 1e3,
          .energy_mj = images * image_pj * 1e-9 + static_power_w_ * latency_s * 1e3,
          .is_feasible = solution.is_feasible};
}

std::unique_ptr<HardwareModel> make_fpga_dataflow_model(DeviceSpec device) {
  return std::make_unique<FpgaDataflowModel>(std::move(device));
}

}  // namespace lathe::hwmodels

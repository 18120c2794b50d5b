#include "experiments/device_metrics.h"

#include <algorithm>
#include <limits>

namespace lathe::experiments {

std::string metric_name(const std::string& metric, const std::string& device) {
  return metric + "@" + device;
}

int latency_metric(int target) {
  return 1 + 2 * target;
}
int energy_metric(int target) {
  return 2 + 2 * target;
}
int packed_metric(const Experiment& experiment) {
  return 1 + 2 * static_cast<int>(experiment.targets.size());
}

bool has_macs_metric(const ExperimentConfig& config) {
  return config.constraints.macs.has_value() ||
         std::find(config.objectives.begin(), config.objectives.end(), "macs") != config.objectives.end();
}
int macs_metric(const Experiment& experiment) {
  return packed_metric(experiment) + 1;
}

double packed_bytes(const Experiment& experiment, const policies::Candidate& candidate) {
  constexpr double kFloatBytes = 4;
  constexpr int kWidestWithScale = 8;         // narrower weights carry one float scale a channel
  constexpr double kFoldedParameters = 0.25;  // scale, offset, mean and variance fold to one bias
  const policies::WorkloadSetting setting = policies::setting_of(experiment.builder, experiment.space, candidate);
  double bytes = 0;
  for (int op = 0; op < experiment.builder.op_count(); ++op) {
    const policies::OpWorkload work = experiment.builder.build_op(op, setting.kept_counts, setting.bits);
    const bool is_folded = work.is_fused && experiment.network.nodes[static_cast<std::size_t>(work.node)].op == "BatchNormalization";
    bytes += kFloatBytes * static_cast<double>(work.table_elements) * (is_folded ? kFoldedParameters : 1);
    if (work.weight_elements == 0) continue;
    bytes += static_cast<double>(policies::stored_weight_bytes(work));
    if (work.weight_bits <= kWidestWithScale) bytes += kFloatBytes * static_cast<double>(work.out_channels);
  }
  return bytes;
}

double macs(const Experiment& experiment, const policies::Candidate& candidate) {
  const policies::WorkloadSetting setting = policies::setting_of(experiment.builder, experiment.space, candidate);
  std::int64_t sum = 0;
  for (int op = 0; op < experiment.builder.op_count(); ++op) sum += experiment.builder.build_op(op, setting.kept_counts, setting.bits).macs;
  return static_cast<double>(sum) / experiment.config.batch;
}

bool DeviceMetrics::compute(const policies::Candidate& candidate, std::span<double> values) const {
  constexpr double kCannot = std::numeric_limits<double>::infinity();
  bool runs_somewhere = false;
  for (std::size_t i = 0; i < experiment_.targets.size(); ++i) {
    const hwmodels::DeviceScore score = experiment_.targets[i].scorer->score(candidate);
    runs_somewhere |= score.is_feasible;
    const int target = static_cast<int>(i);
    values[static_cast<std::size_t>(latency_metric(target))] = score.is_feasible ? score.latency_ms : kCannot;
    values[static_cast<std::size_t>(energy_metric(target))] = score.is_feasible ? score.energy_mj : kCannot;
  }
  values[static_cast<std::size_t>(packed_metric(experiment_))] = packed_bytes(experiment_, candidate);
  if (has_macs_metric(experiment_.config)) values[static_cast<std::size_t>(macs_metric(experiment_))] = macs(experiment_, candidate);
  return runs_somewhere;
}

}  // namespace lathe::experiments

// The metrics of a search: accuracy (measured) and what follows from the policy alone, by device.
#pragma once

#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "search/problem.h"

namespace lathe::experiments {

// "latency_ms@raspberry-pi-4"
std::string metric_name(const std::string& metric, const std::string& device);

// Bytes of all weights, each at its width, with their scales and the float constants beside them (biases, embeddings), BatchNormalization
// folded: packed_size of the candidate without building it. Costs microseconds.
double packed_bytes(const Experiment& experiment, const policies::Candidate& candidate);

// Multiply-accumulates of one input, as `lathe inspect` counts them; zeros of sparse weights count too. Costs microseconds.
double macs(const Experiment& experiment, const policies::Candidate& candidate);

// accuracy; then latency_ms and energy_mj of each device; then packed_bytes; then macs, where the config asks for them. Borrows the
// experiment.
class DeviceMetrics final : public search::ExactMetrics {
 public:
  explicit DeviceMetrics(const Experiment& experiment) : experiment_(experiment) {}
  // Metrics of a device that cannot run the candidate are infinite.
  bool compute(const policies::Candidate& candidate, std::span<double> values) const override;

 private:
  const Experiment& experiment_;
};

// Indices into the metrics.
inline constexpr int kAccuracyMetric = 0;
int latency_metric(int target);
int energy_metric(int target);
int packed_metric(const Experiment& experiment);
// Whether MACs are an objective or limited: else they are no metric, so that runs and their stores are as they were without them.
bool has_macs_metric(const ExperimentConfig& config);
int macs_metric(const Experiment& experiment);

}  // namespace lathe::experiments

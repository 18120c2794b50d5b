#include "hwmodels/policy_scorer.h"

namespace lathe::hwmodels {

struct PolicyScorer::Tables {
  const policies::WorkloadBuilder& builder;
  const policies::SearchSpace& space;
  const HardwareModel& model;
};

PolicyScorer::PolicyScorer(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model)
    : tables_(std::make_unique<Tables>(Tables{builder, space, model})) {}

PolicyScorer::~PolicyScorer() = default;

DeviceScore PolicyScorer::score(const policies::Candidate& candidate) const {
  const Prediction prediction = tables_->model.predict(policies::workload_of(tables_->builder, tables_->space, candidate));
  return {.latency_ms = prediction.latency_ms,
          .energy_mj = prediction.energy_mj,
          .peak_activation_bytes = prediction.peak_activation_bytes,
          .weight_bytes = prediction.weight_bytes,
          .is_feasible = prediction.is_feasible};
}

}  // namespace lathe::hwmodels

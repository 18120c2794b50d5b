// Scores candidates on a device by look-ups: for each operator a table over the choices it depends on, filled once.
#pragma once

#include <memory>
#include <vector>

#include "hwmodels/hardware_model.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

struct DeviceScore {
  double latency_ms = 0, energy_mj = 0;
  std::int64_t peak_activation_bytes = 0, weight_bytes = 0;
  bool is_feasible = true;
};

// Equals predict(workload_of(candidate)) to 1e-9 relative. Thread-safe after construction.
class PolicyScorer {
 public:
  // All references must outlive the scorer.
  PolicyScorer(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model);
  ~PolicyScorer();
  DeviceScore score(const policies::Candidate& candidate) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace lathe::hwmodels

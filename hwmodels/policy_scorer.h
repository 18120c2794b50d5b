// Scores candidates on a device by look-ups: for each operator a table over the choices it depends on, filled once.
//
// What an operator costs depends on the kept channels of its coupling groups, on its own widths, and on the widths that its input and
// output have in memory. The latter follow from the layers that read them, often several; these are first looked up as one class
// (candidate_digits.h), so that tables stay small. Choices that the device stores alike (4 bits on a device of bytes) share an entry,
// operators of equal shape share a table, and operators that share choices are looked up as one (op_tables.h), which keeps the look-ups
// few and in the cache. Latency, energy and weight bytes are then sums of look-ups, the activation peak a maximum over the schedule of
// look-ups. A dataflow pipeline looks its prepared stages up and solves the folding. An operator with too many choices for a table is
// worked out anew for each candidate.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "hwmodels/hardware_model.h"
#include "policies/additive_cost.h"
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
  // candidate: legal. Allocates nothing where all operators have tables, but a thread's scratch memory on its first call, and stages of a
  // dataflow pipeline that no candidate had before.
  DeviceScore score(const policies::Candidate& candidate) const;
  // Latency and energy alone, in half the time: bytes stay 0, is_feasible true. Models that are not additive score in full.
  DeviceScore score_cost(const policies::Candidate& candidate) const;
  // The same of many, eight side by side. scores: as many as candidates.
  void score_costs(std::span<const policies::Candidate> candidates, std::span<DeviceScore> scores) const;

  // Latency as a sum over decisions, terms of at most `most_values` each (see OpTables::latency); nullopt where the model is not additive.
  std::optional<policies::AdditiveCost> additive_latency(std::size_t most_values = 1 << 16) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace lathe::hwmodels

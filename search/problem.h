// What is searched, as data: decisions, metrics, and fronts. A metric is exact and free (latency, energy, size: computed from the
// candidate) or measured (accuracy; plain optimization problems measure several). A front is a set of metrics whose Pareto set is wanted,
// usually accuracy and latency of one device.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "policies/search_space.h"

namespace lathe::search {

enum class Direction { kMaximize, kMinimize };

struct Metric {
  std::string name;  // "accuracy", "latency_ms@raspberry-pi-4", "size_bytes"
  Direction direction = Direction::kMinimize;
  bool is_measured = false;
  double limit = std::numeric_limits<double>::quiet_NaN();  // a constraint: at most (minimize) or at least (maximize); NaN = none
  bool operator==(const Metric&) const = default;
};

struct Front {
  std::string name;                     // the device
  std::vector<int> metrics;             // indices into Problem::metrics
  std::vector<double> reference_point;  // in the metrics' own units, one for each of `metrics`
  std::vector<int> limited;             // further metrics whose limits bind this front although they are no objectives of it
  bool operator==(const Front&) const = default;
};

// Computes the metrics that need no measurement. Thread-safe, deterministic, microseconds.
class ExactMetrics {
 public:
  virtual ~ExactMetrics() = default;
  // values: one for each metric of the problem; measured ones are left untouched. Returns false if no device can run the candidate.
  virtual bool compute(const policies::Candidate& candidate, std::span<double> values) const = 0;
};

struct Problem {
  policies::SearchSpace space;
  std::vector<Metric> metrics;
  std::vector<Front> fronts;
  const ExactMetrics* exact = nullptr;  // borrowed; must outlive the search
  // A rough guess of the measured metric (accuracy) before any trial, from layer sensitivities; may be empty (no prior).
  // drop[d][v] = expected loss of the measured metric when decision d alone takes its value v; additive model.
  std::vector<std::vector<double>> sensitivity;
};

}  // namespace lathe::search

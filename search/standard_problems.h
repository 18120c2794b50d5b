// Problems with known formulas, for tests and benches of agents: the standard multi-objective functions (search/problems/test_function.h)
// with their variables cut to levels, and a made-up network whose accuracy obeys the structure that real ones show.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "search/problem.h"
#include "search/problems/test_function.h"

namespace lathe::search {

struct StandardProblem {
  std::string name;
  Problem problem;                                                         // problem.exact points to `exact`
  std::unique_ptr<ExactMetrics> exact;                                     // null where every metric is measured
  std::function<double(const policies::Candidate&)> measured;              // the first measured metric; thread-safe
  std::function<std::vector<double>(const policies::Candidate&)> further;  // the other measured metrics in order; null where there are none
  double stddev = 0;                                                       // of the noise of `measured`, which is part of it
  std::int64_t rows = 0;                                                   // that `measured` is a share of; 0 = of none
};

// What an agent may know without a trial.
enum class KnownMetrics {
  kAllButLastObjective,  // the last objective plays the measured metric, all else is exact, as accuracy and latency are in a real search
  kNone,                 // every objective and constraint is measured: agents as plain optimizers
};

// Each variable becomes a decision of `levels` evenly spaced values. A space of such decisions has no layers, by which agents see that it
// is no network. Constraints are metrics with a limit of 0.
StandardProblem make_function_problem(const TestFunction& function, int levels, KnownMetrics known);
StandardProblem make_zdt(int variant, int decisions, int levels, KnownMetrics known = KnownMetrics::kAllButLastObjective);
// DTLZ2 with three objectives.
StandardProblem make_dtlz2(int decisions, int levels, KnownMetrics known = KnownMetrics::kAllButLastObjective);

// A chain of `layers` convolutions with kept channels, weight bits and activation bits each. Accuracy = 0.1 + 0.83 exp(-loss): loss is
// additive over decisions with sensitivities that differ by a factor of ten between layers, plus interactions of neighbouring layers.
// Fronts: accuracy against the latency of `devices` (1 or 2) made-up devices, whose latencies answer differently to widths and channels.
struct NetworkProblemOptions {
  int layers = 12;
  int devices = 1;
  std::uint64_t seed = 0;
  bool has_sensitivity = false;  // fill Problem::sensitivity with what measuring each decision alone would give
  double noise = 0.003;          // standard deviation of the measured accuracy; a fixed function of the candidate
};
StandardProblem make_network_problem(const NetworkProblemOptions& options);

struct StandardProblemOptions {
  int dims = 6;        // decisions; those of engineering problems are given; a network has dims / 3 layers
  int objectives = 3;  // of dtlz and wfg
  // 1024 values make a variable nearly continuous, and none of them is 0.5, where the optimum of the DTLZ functions lies.
  int levels = 1024;
  KnownMetrics known = KnownMetrics::kNone;
  std::uint64_t seed = 0;  // of the network
  bool has_sensitivity = false;
};
// By name: zdt1 .. zdt4, zdt6, dtlz1 .. dtlz7, wfg1 .. wfg9, an engineering function's, or network. Throws UserError.
StandardProblem make_standard_problem(const std::string& name, const StandardProblemOptions& options);

}  // namespace lathe::search

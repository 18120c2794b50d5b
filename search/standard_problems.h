// Problems with known formulas, for tests and benches of agents: the standard multi-objective functions with their variables cut to
// levels, and a made-up network whose accuracy obeys the structure that real ones show. Their last objective plays the measured metric,
// the others are exact, as accuracy and latency are in a real search.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "search/problem.h"

namespace lathe::search {

struct StandardProblem {
  std::string name;
  Problem problem;  // problem.exact points to `exact`
  std::unique_ptr<ExactMetrics> exact;
  std::function<double(const policies::Candidate&)> measured;  // the measured metric; thread-safe
  double stddev = 0;                                           // of its noise, which is part of `measured`
};

// E. Zitzler, K. Deb, L. Thiele, Comparison of Multiobjective Evolutionary Algorithms, Evolutionary Computation 8(2), 2000: test
// functions T1 to T3 (variant 1 to 3); f1 exact, f2 measured, both minimized; reference point (11, 11).
StandardProblem make_zdt(int variant, int decisions, int levels);

// K. Deb, L. Thiele, M. Laumanns, E. Zitzler, Scalable Test Problems for Evolutionary Multiobjective Optimization, 2005: DTLZ2 with three
// objectives, f3 measured; reference point 1.1 each.
StandardProblem make_dtlz2(int decisions, int levels);

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

// By name: "zdt1", "zdt2", "zdt3", "dtlz2" (dims decisions of 21 levels), "network" (dims / 3 layers). Throws UserError.
StandardProblem make_standard_problem(const std::string& name, int dims, std::uint64_t seed);

}  // namespace lathe::search

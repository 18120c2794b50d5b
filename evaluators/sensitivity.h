// How much accuracy each decision costs alone: the prior of Bayesian optimization, and a figure worth looking at. Cheap version: only the
// lowest and the middle legal value of each decision are measured, the others are interpolated (the last value costs nothing).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "evaluators/evaluator.h"
#include "policies/search_space.h"

namespace lathe::evaluators {

struct SensitivityOptions {
  std::int64_t rows = 256;  // of the search split
  int threads = 1;          // oneTBB tasks; changes no number
};

// drop[d][v]: loss of the expected class's mean probability, or of accuracy where the evaluator tells no probabilities, when decision d
// alone takes value v, against the least compressed candidate on the same rows; >= 0 and not rising with v. An evaluation that fails counts
// as a loss of all accuracy. to_policy: of the search's own space. progress: measured so far, of all; may be empty; serialized.
std::vector<std::vector<double>> measure_sensitivity(const policies::SearchSpace& space, const Evaluator& evaluator,
                                                     const std::function<policies::Policy(const policies::Candidate&)>& to_policy,
                                                     const SensitivityOptions& options,
                                                     const std::function<void(int done, int total)>& progress = {});

// Losses at the measured value indices (ascending, the last value included) -> one for each of `values`, made monotone. Kept channels:
// linear in their number. Bits: geometric between two losses above zero, since a loss goes with the power of the rounding noise, which each
// bit divides by four (B. Widrow and I. Kollar, Quantization Noise, 2008, eq. 5.2: variance step^2 / 12), and by this factor a bit towards
// a loss of zero.
std::vector<double> interpolate_losses(policies::DecisionKind kind, const std::vector<int>& values, const std::vector<int>& measured,
                                       const std::vector<double>& losses);

}  // namespace lathe::evaluators

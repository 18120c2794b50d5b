// Certificates of a device's front as they stand in `pareto.json`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "experiments/experiment.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

// {"policies": [{"trial", "model_accuracy", "accuracy_bound", "gap"}], "exact": whether the bound is the dual itself}: shares, in the
// additive model of the sensitivities (search/certificates.h) taken off `float_accuracy`, down to 0. {"none": why} where nothing is
// certified: sensitivities that were not measured, or a device whose latency is no sum over layers.
nlohmann::json certificates_json(const search::Problem& problem, const Target& target, int latency_metric, double float_accuracy,
                                 std::span<const search::Trial> front);

}  // namespace lathe::experiments

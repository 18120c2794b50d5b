// An experiment as the search sees it: metrics with their limits, and one front a device with its reference point.
#pragma once

#include <string>
#include <vector>

#include "evaluators/evaluator.h"
#include "experiments/device_metrics.h"
#include "experiments/experiment.h"
#include "search/problem.h"

namespace lathe::experiments {

// Reference points, by a fixed rule so that hypervolumes of different runs compare: accuracy `search.accuracy_range` points below the float
// network's (a policy that is worse is of no use), and the float network's own latency, energy and packed size (one that is no better
// likewise). `metrics` must be of `experiment`, and both outlive the problem.
search::Problem make_problem(const Experiment& experiment, const DeviceMetrics& metrics, const evaluators::Evaluation& float_accuracy);

// The exact metrics of a candidate in the problem's order, NaN for measured ones.
std::vector<double> exact_metrics(const search::Problem& problem, const policies::Candidate& candidate);

// Throws UserError naming each constraint that no policy of the space meets, with the best value that one can reach, and each device that
// has no error bar where a quantile is asked for.
void check_constraints(const Experiment& experiment, const search::Problem& problem);

}  // namespace lathe::experiments

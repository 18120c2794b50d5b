// What a run searched, as it is stored with its trials: names, directions and limits of the metrics, and the fronts. With it and the
// trials, a front or a hypervolume can be computed without the network, its data or its devices.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

nlohmann::json problem_json(const search::Problem& problem);
// Metrics and fronts alone; the space is left empty.
search::Problem problem_of(const nlohmann::json& document);

class RunStore;
// Of a run whose device was recalibrated while it searched: the problem and the trials as the last calibration has them, beside what each
// was when it was measured. recalibrate() gives them to whoever compares runs: it
// replaces both, or leaves them as they are.
void record_recalibrated(RunStore& store, const search::Problem& problem, const std::vector<search::Trial>& trials);
void recalibrate(const RunStore& store, search::Problem& problem, std::vector<search::Trial>& trials);

}  // namespace lathe::experiments

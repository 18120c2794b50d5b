// What a run searched, as it is stored with its trials: names, directions and limits of the metrics, and the fronts. With it and the
// trials, a front or a hypervolume can be computed without the network, its data or its devices.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "search/problem.h"

namespace lathe::experiments {

nlohmann::json problem_json(const search::Problem& problem);
// Metrics and fronts alone; the space is left empty.
search::Problem problem_of(const nlohmann::json& document);

}  // namespace lathe::experiments

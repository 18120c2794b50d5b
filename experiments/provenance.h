// Where a run's numbers come from: enough to repeat it, and to see why a repetition differs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace lathe::experiments {

// {"lathe", "revision", "compiler", "libraries": {...}, "host": {"name", "cpu", "processors", "kernel"}, "device", "seed", "model_sha256",
// "data_sha256", "started"}
nlohmann::json provenance_of(const Experiment& experiment);

// What differs, as "libraries.sqlite: 3.40.1 then, 3.41.0 now"; time and process apart.
std::vector<std::string> provenance_differences(const nlohmann::json& then, const nlohmann::json& now);

}  // namespace lathe::experiments

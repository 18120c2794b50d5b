// One self-contained HTML page of a run: Chart.js, styles, script and data in the file, nothing from the network.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lathe::experiments {

// results: results_json(). config: the resolved YAML, shown at the end.
std::string report_html(const nlohmann::json& results, const std::string& config);

// The report of a run directory from its pareto.json and config.yaml. Throws UserError where they are missing.
std::string report_of_run(const std::string& run_directory);

}  // namespace lathe::experiments

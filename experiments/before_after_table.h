// One table at the end of a search: what the recommended policy of each device changes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lathe::experiments {

// From results_json. Accuracy (measured), latency, throughput, memory, average power (predicted) and file size, before and after. "" where
// nothing is recommended.
std::string before_after_table(const nlohmann::json& results);

}  // namespace lathe::experiments

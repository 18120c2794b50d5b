// What `lathe inspect` says of a network: its layers, what may be pruned together, and why the rest may not.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::experiments {

// `network` must have gone through prepare_for_pruning, `analysis` be of it. Keys: model {name, sha256, opset, inputs, outputs}, groups,
// layers, macs, parameters (docs: DESIGN of `lathe inspect --json` in the README).
nlohmann::json inspection_json(const models::Network& network, const policies::CouplingAnalysis& analysis);
// The same for people.
std::string inspection_text(const nlohmann::json& inspection);

}  // namespace lathe::experiments

// The `search.agents` list of a config.
#pragma once

#include <yaml-cpp/node/node.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/config/config_document.h"
#include "search/agent.h"

namespace lathe::experiments {

// Each entry is a kind ("bayes") or a map {kind, name, option: number...}; options are those of search::agent_kinds(). Agents without a
// name are called by their kind; names must differ.
void read_agents(ConfigDocument& document, const std::string& path, const YAML::Node& node, std::vector<search::AgentOptions>& agents);
YAML::Node write_agents(const std::vector<search::AgentOptions>& agents);
nlohmann::json agents_schema();

}  // namespace lathe::experiments

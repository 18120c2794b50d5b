// `search.pretrained: RUN_DIR`: what the agents of an earlier run learned, of whatever network and devices, for those of this one to begin
// with.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/run_directory.h"
#include "search/agent.h"

namespace lathe::experiments {

// Writes agents/NAME.pt for each. learned: bytes by agent's name (search::SearchResult::learned).
void write_learned(const RunDirectory& directory, const std::map<std::string, std::string>& learned);

// The agents, with what the run in folder `earlier` has of an agent of the same name, or else of one that is called as its kind is. As they
// are where `earlier` is empty. Throws UserError where it has nothing for any of them; what is wrong with a file the agent says.
std::vector<search::AgentOptions> with_learned(std::vector<search::AgentOptions> agents, const std::string& earlier);

}  // namespace lathe::experiments

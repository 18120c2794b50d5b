#include "experiments/learned_agents.h"

#include <cctype>
#include <filesystem>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "agents";

// Agents may be called anything.
std::string file_name(std::string agent) {
  for (char& c : agent) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && c != '.') c = '_';
  }
  return agent + ".pt";
}

}  // namespace

void write_learned(const RunDirectory& directory, const std::map<std::string, std::string>& learned) {
  if (learned.empty()) return;
  fs::create_directories(directory.at(kFolder));
  for (const auto& [agent, bytes] : learned) write_atomically(directory.at(std::string(kFolder) + "/" + file_name(agent)), bytes);
}

std::vector<search::AgentOptions> with_learned(std::vector<search::AgentOptions> agents, const std::string& earlier) {
  if (earlier.empty()) return agents;
  bool has_learned = false;
  for (search::AgentOptions& agent : agents) {
    for (const std::string& name : {agent.name, agent.kind}) {
      const fs::path path = fs::path(earlier) / kFolder / file_name(name);
      if (agent.learned.empty()) agent.learned = bytes_of(path);
    }
    has_learned |= !agent.learned.empty();
  }
  if (!has_learned)
    throw UserError(Fault{.key = "search.pretrained",
                          .expected = "expected the folder of a finished run with an agent of a name or kind in search.agents that learns "
                                      "something other searches can use (ddpg, td3, sac, ppo)",
                          .got = earlier});
  return agents;
}

}  // namespace lathe::experiments

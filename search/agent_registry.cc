// The agents that a config may name. A new one is added by a line in factories(); see docs/agents.md.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "models/base/check.h"
#include "models/base/error.h"
#include "search/agent_options.h"
#include "search/bayes/bayes.h"
#include "search/evolution/nsga2.h"
#include "search/evolution/nsga3.h"
#include "search/quasi_random/quasi_random.h"
#include "search/rl/ppo.h"
#include "search/rl/walking_agents.h"

namespace lathe::search {
namespace {

// The built-in agents, then those that register_agent added.
std::vector<AgentFactory>& factories() {
  static std::vector<AgentFactory> kFactories{
      {quasi_random_kind, make_quasi_random},
      {nsga2_kind, make_nsga2},
      {nsga3_kind, make_nsga3},
      {bayes_kind, make_bayes},
      {ddpg_kind, make_ddpg},
      {td3_kind, make_td3},
      {sac_kind, make_sac},
      {ppo_kind, make_ppo},
  };
  return kFactories;
}

std::vector<AgentKind>& known_kinds() {
  static std::vector<AgentKind> kKinds = [] {
    std::vector<AgentKind> kinds;
    for (const AgentFactory& factory : factories()) kinds.push_back(factory.kind());
    return kinds;
  }();
  return kKinds;
}

std::string to_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string expected_one_of(const std::string& word, const std::vector<std::string>& legal) {
  const std::string near = nearest_spelling(word, legal);
  return "one of " + joined(legal) + (near.empty() ? "" : " (did you mean " + near + "?)");
}

}  // namespace

const std::vector<AgentKind>& agent_kinds() {
  return known_kinds();
}

void register_agent(const AgentFactory& factory) {
  for (const AgentKind& known : known_kinds()) LATHE_CHECK_NE(known.kind, factory.kind().kind) << "two kinds of agent of one name";
  known_kinds().push_back(factory.kind());
  factories().push_back(factory);
}

double option(const AgentOptions& options, const AgentKind& kind, const std::string& name) {
  if (const auto set = options.options.find(name); set != options.options.end()) return set->second;
  const auto known = std::find_if(kind.options.begin(), kind.options.end(), [&](const auto& o) { return o.name == name; });
  LATHE_CHECK(known != kind.options.end()) << kind.kind << " has no option " << name;
  return known->otherwise;
}

void check_options(const AgentOptions& options, const AgentKind& kind) {
  std::vector<std::string> names;
  for (const AgentKind::Option& known : kind.options) names.push_back(known.name);
  std::vector<Fault> faults;
  for (const auto& [name, value] : options.options) {
    const std::string key = "search.agents: option of " + kind.kind;
    const auto known = std::find_if(kind.options.begin(), kind.options.end(), [&](const auto& o) { return o.name == name; });
    if (known == kind.options.end()) {
      faults.push_back({.key = key, .expected = expected_one_of(name, names), .got = name});
    } else if (!(value >= known->low && value <= known->high) || (known->is_integer && value != std::floor(value))) {
      faults.push_back({.key = key + " " + name,
                        .expected = std::string(known->is_integer ? "a whole number from " : "a number from ") + to_text(known->low) +
                                    " to " + to_text(known->high),
                        .got = to_text(value)});
    }
  }
  if (!faults.empty()) throw UserError(std::move(faults));
}

std::unique_ptr<Agent> make_agent(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  std::vector<std::string> names;
  for (const AgentFactory& factory : factories()) {
    const AgentKind& kind = factory.kind();
    names.push_back(kind.kind);
    if (kind.kind != options.kind) continue;
    check_options(options, kind);
    AgentOptions named = options;
    if (named.name.empty()) named.name = named.kind;
    return factory.make(named, problem, seed);
  }
  throw UserError(Fault{.key = "search.agents: kind", .expected = expected_one_of(options.kind, names), .got = options.kind});
}

}  // namespace lathe::search

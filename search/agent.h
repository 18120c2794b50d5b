// A search algorithm. The controller calls ask and tell from one thread at a time, alternating in rounds.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

class Agent {
 public:
  virtual ~Agent() = default;
  // At most `count` legal candidates; fewer (or none) when the agent has nothing new. `pending`: proposed by any agent and not yet told.
  // Deterministic in (construction arguments, what was told, the calls so far).
  virtual std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) = 0;
  // Every finished trial of every agent exactly once, in id order (of an asynchronous search: within a call), failures included.
  virtual void tell(std::span<const Trial> finished) = 0;
  // What it knows that holds for other problems too, for AgentOptions::learned of an agent of its kind there; empty where nothing does.
  virtual std::string learned() const { return {}; }
};

// An agent's entry in the config: kind and free options by name ("trials_initial", "population", ...), already checked against the agent's
// `option_names`.
struct AgentOptions {
  std::string kind;  // "quasi_random", "nsga2", "bayes", "ddpg", ...
  std::string name;  // shown in reports; the kind if not given
  std::map<std::string, double> options;
  std::string learned{};  // by an agent of the kind in another search (Agent::learned), which this one begins with; may be empty
};

// Registered kinds, and the options each knows with their defaults and a line of help.
struct AgentKind {
  std::string kind;
  std::string summary;
  struct Option {
    std::string name;
    double otherwise;  // the default
    std::string help;
    double low = 0, high = 1e9;  // legal values, both included
    bool is_integer = true;
  };
  std::vector<Option> options;
};
const std::vector<AgentKind>& agent_kinds();

// How an agent of a kind is made. `seed`: of the whole search; options are checked; `problem` outlives the agent.
struct AgentFactory {
  const AgentKind& (*kind)();
  std::unique_ptr<Agent> (*make)(const AgentOptions& options, const Problem& problem, std::uint64_t seed);
};
// From outside the library, at the start of the program, before a config is read; a kind that is taken is a check failure.
void register_agent(const AgentFactory& factory);

// seed: of the whole search. `problem` must outlive the agent.
std::unique_ptr<Agent> make_agent(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search

// Hypervolume that agents reach on a standard problem; the last line of the output is the number alone (the mean over the seeds).
//   bench/search_problems --agent bayes --problem zdt1 --dims 6 --trials 100 --seed 0 [--seeds 5] [--set option=value ...]

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "models/base/error.h"
#include "search/controller.h"
#include "search/pareto.h"
#include "search/standard_problems.h"

namespace {

struct Arguments {
  std::vector<std::string> agents{"nsga2"};
  std::vector<std::string> settings;  // option=value, for the first agent
  std::string problem = "zdt1";
  int dims = 6, trials = 100, seeds = 1;
  std::uint64_t seed = 0;
  bool has_sensitivity = false;
};

lathe::search::AgentOptions agent_options(const Arguments& arguments, std::size_t agent) {
  lathe::search::AgentOptions options{arguments.agents[agent], "", {}};
  if (agent > 0) return options;
  for (const std::string& setting : arguments.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw lathe::UserError(lathe::Fault{.key = "--set", .expected = "option=value", .got = setting});
    options.options[setting.substr(0, equals)] = std::stod(setting.substr(equals + 1));
  }
  return options;
}

double run_seed(const Arguments& arguments, std::uint64_t seed) {
  using namespace lathe::search;
  const StandardProblem made =
      arguments.problem == "network"
          ? make_network_problem({.layers = std::max(1, arguments.dims / 3), .seed = seed, .has_sensitivity = arguments.has_sensitivity})
          : make_standard_problem(arguments.problem, arguments.dims, seed);
  std::vector<AgentOptions> agents;
  for (std::size_t a = 0; a < arguments.agents.size(); ++a) agents.push_back(agent_options(arguments, a));
  ControllerCallbacks callbacks;
  callbacks.measure = [&](const lathe::policies::Candidate& candidate) {
    return Measurement{.value = made.measured(candidate), .stddev = made.stddev};
  };
  const auto start = std::chrono::steady_clock::now();
  const SearchResult result = run_search(made.problem, agents, {.trials = arguments.trials, .threads = 1, .seed = seed}, callbacks);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double hypervolume = front_hypervolume(made.problem, made.problem.fronts[0], result.trials);
  std::cout << "seed " << seed << ": " << result.trials.size() << " trials, hypervolume " << hypervolume << ", "
            << 1e3 * seconds / static_cast<double>(std::max<std::size_t>(result.trials.size(), 1)) << " ms a trial\n";
  return hypervolume;
}

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  CLI::App app{"Hypervolume of agents on a standard problem"};
  app.add_option("--agent", arguments.agents, "one or more agents");
  app.add_option("--problem", arguments.problem, "zdt1, zdt2, zdt3, dtlz2 or network");
  app.add_option("--dims", arguments.dims, "decisions");
  app.add_option("--trials", arguments.trials);
  app.add_option("--seed", arguments.seed, "the first seed");
  app.add_option("--seeds", arguments.seeds, "how many");
  app.add_option("--set", arguments.settings, "option=value of the first agent");
  app.add_flag("--sensitivity", arguments.has_sensitivity, "give the network problem its sensitivities");
  CLI11_PARSE(app, argc, argv);
  double sum = 0;
  for (int s = 0; s < arguments.seeds; ++s) sum += run_seed(arguments, arguments.seed + static_cast<std::uint64_t>(s));
  std::cout << sum / arguments.seeds << std::endl;
  return 0;
} catch (const lathe::UserError& error) {
  std::cerr << error.what() << std::endl;
  return 2;
}

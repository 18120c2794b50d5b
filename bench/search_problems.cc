// Hypervolume that agents reach on a standard problem; the last line of the output is the number alone (the mean over the seeds).
//   bench/search_problems --agent bayes --problem zdt1 --dims 6 --trials 100 --seed 0 [--seeds 5] [--set option=value ...]
// One agent is asked for one candidate at a time and told its result at once, as an optimizer is used alone; --round N (and several agents)
// runs the controller of a search instead, whose results reach agents one round late.
// --table FILE --objectives-of-table METRIC...: measured accuracy against exact metrics of a table (search/problems/policy_table.h). With
// --sensitivity the evaluations that the sensitivities take come off --trials. --warm-trials N: the agents are told first what a search of
// N trials for --warm-metric found. --halving FACTOR: rounds of so many times more policies, of which the best go on to more rows
// (search/halving.h); --trials is then what they cost, in measurements on all rows.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>

#include "models/base/error.h"
#include "search/constraints.h"
#include "search/controller.h"
#include "search/initial_design.h"
#include "search/pareto.h"
#include "search/problems/policy_table.h"
#include "search/proposer.h"
#include "search/standard_problems.h"
#include "search/warm_start.h"

namespace {

using namespace lathe::search;

struct Arguments {
  std::vector<std::string> agents{"nsga2"};
  std::vector<std::string> settings;  // option=value, for the first agent
  std::string problem = "zdt1", trace, allocation = "credit";
  StandardProblemOptions problem_options;
  std::string table, warm_metric;
  std::vector<std::string> table_objectives{"latency_ms@raspberry-pi-4"};
  int trials = 100, seeds = 1, round = 0, warm_trials = 0, pretrained_trials = 0, pretrained_dims = 0;
  std::uint64_t seed = 0;
  double limit = 0;  // share of the uncompressed network's cost; 0 = the whole front
  Halving halving;
  bool is_exact = false, prints_design = false;
};

AgentOptions agent_options(const Arguments& arguments, std::size_t agent) {
  AgentOptions options{arguments.agents[agent], "", {}};
  if (agent > 0) return options;
  for (const std::string& setting : arguments.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw lathe::UserError(lathe::Fault{.key = "--set", .expected = "option=value", .got = setting});
    options.options[setting.substr(0, equals)] = std::stod(setting.substr(equals + 1));
  }
  return options;
}

Measurement measure(const StandardProblem& made, const lathe::policies::Candidate& candidate) {
  Measurement measurement{.value = made.measured(candidate), .stddev = made.stddev};
  if (made.further) measurement.further = made.further(candidate);
  return measurement;
}

// The correct ones of all rows that lie among those of the part, by drawing rows without replacement from those after the part's begin; the
// table knows how many are correct, not which.
Measurement measure_part(const StandardProblem& made, const lathe::policies::Candidate& candidate, const Part& part, std::uint64_t seed) {
  const auto count = [&](double share) { return static_cast<std::int64_t>(std::lround(share * static_cast<double>(made.rows))); };
  const std::int64_t begin = count(part.from), end = count(part.to);
  std::int64_t correct = std::lround(part.value * static_cast<double>(begin));
  std::int64_t left = count(made.measured(candidate)) - correct;
  std::uint64_t code = 0;
  for (const int choice : candidate.choices) code = 31 * code + static_cast<std::uint64_t>(choice) + 1;
  lathe::Rng rng(seed, "rows/" + std::to_string(begin), code);
  for (std::int64_t row = begin; row < end; ++row) {
    if (rng.below(made.rows - row) >= left) continue;
    ++correct;
    --left;
  }
  const double p = static_cast<double>(correct) / static_cast<double>(end);
  return {.value = p, .stddev = std::sqrt(std::max(p * (1 - p), 1e-6) / static_cast<double>(end))};
}

Trial finished_trial(const StandardProblem& made, std::int64_t id, const std::string& agent, const lathe::policies::Candidate& candidate) {
  Trial trial{.id = id, .agent = agent, .candidate = candidate, .metrics = score_exactly(made.problem, candidate).metrics};
  const Measurement measurement = measure(made, candidate);
  trial.stddev = measurement.stddev;
  std::size_t measured = 0;
  for (std::size_t m = 0; m < trial.metrics.size(); ++m) {
    if (!made.problem.metrics[m].is_measured) continue;
    trial.metrics[m] = measured == 0 ? measurement.value : measurement.further[measured - 1];
    ++measured;
  }
  return trial;
}

std::vector<Trial> run_alone(const StandardProblem& made, Agent& agent, const std::string& name, int trials,
                             const std::vector<Trial>& history) {
  std::vector<Trial> finished = history;
  agent.tell(history);
  while (finished.size() < history.size() + static_cast<std::size_t>(trials)) {
    const std::vector<lathe::policies::Candidate> asked = agent.ask(1, {});
    if (asked.empty()) break;
    finished.push_back(finished_trial(made, static_cast<std::int64_t>(finished.size()), name, asked[0]));
    agent.tell({&finished.back(), 1});
  }
  return finished;
}

int round_of(const Arguments& arguments) {
  return arguments.round > 0 ? arguments.round : Proposer::kPerAgent * static_cast<int>(arguments.agents.size());
}

std::vector<Trial> run_together(const StandardProblem& made, const Arguments& arguments, int trials, std::uint64_t seed,
                                const std::vector<Trial>& history) {
  std::vector<AgentOptions> agents;
  for (std::size_t a = 0; a < arguments.agents.size(); ++a) agents.push_back(agent_options(arguments, a));
  ControllerCallbacks callbacks{.history = history};
  callbacks.measure = [&](const lathe::policies::Candidate& candidate) { return measure(made, candidate); };
  callbacks.measure_part = [&](const lathe::policies::Candidate& candidate, const Part& part) {
    return measure_part(made, candidate, part, seed);
  };
  const int proposals = arguments.halving.is_on() ? arguments.halving.proposals_per_survivor() * round_of(arguments) : 0;
  const double cost = arguments.halving.is_on() ? arguments.halving.cost(proposals) / proposals : 1;  // of a proposal
  const ControllerOptions options{.trials = static_cast<int>(trials / cost),
                                  .threads = 1,
                                  .round = arguments.round,
                                  .allocation = arguments.allocation == "equal" ? Allocation::kEqual : Allocation::kCredit,
                                  .seed = seed,
                                  .halving = arguments.halving};
  return run_search(made.problem, agents, options, callbacks).trials;
}

// One line a trial: its seed, number (evaluations spent, with those of the sensitivities), and hypervolume so far. First what is known
// before any trial of the search, where that is something.
void write_trace(const Arguments& arguments, const StandardProblem& made, const std::vector<Trial>& trials, std::size_t history,
                 std::uint64_t seed) {
  std::ofstream file(arguments.trace, std::ios::app);
  file << std::setprecision(10);
  const int before = arguments.trials - static_cast<int>(trials.size() - history);
  for (std::size_t count = std::max<std::size_t>(history, 1); count <= trials.size(); ++count) {
    file << seed << ' ' << before + static_cast<int>(count - history) << ' '
         << front_hypervolume(made.problem, made.problem.fronts[0], {trials.begin(), trials.begin() + static_cast<std::ptrdiff_t>(count)})
         << '\n';
  }
}

// Accuracy alone, the cost at most this share of the uncompressed network's, in place of a front of both.
void limit_cost(lathe::search::Problem& problem, double share) {
  lathe::policies::Candidate full;
  for (const auto& decision : problem.space.decisions) full.choices.push_back(static_cast<int>(decision.values.size()) - 1);
  Front& front = problem.fronts.at(0);
  problem.metrics[1].limit = share * score_exactly(problem, full).metrics[1];
  front = {front.name, {0}, {front.reference_point[0]}, {1}};
}

StandardProblem make_problem(const Arguments& arguments, const std::vector<std::string>& table_objectives, std::uint64_t seed) {
  StandardProblemOptions options = arguments.problem_options;
  options.seed = seed;
  if (arguments.is_exact) options.known = KnownMetrics::kAllButLastObjective;
  StandardProblem made = arguments.table.empty()
                             ? make_standard_problem(arguments.problem, options)
                             : make_table_problem(read_policy_table(arguments.table),
                                                  {.objectives = table_objectives, .has_sensitivity = options.has_sensitivity});
  if (arguments.limit > 0) limit_cost(made.problem, arguments.limit);
  return made;
}

constexpr std::uint64_t kOtherSeed = 1000;  // an independent search

// What the agent learned in a search for another exact metric of the table, or on a network of another size; empty where none is asked for.
std::string learned_elsewhere(const Arguments& arguments, std::uint64_t seed) {
  if (arguments.pretrained_trials == 0) return {};
  Arguments other = arguments;
  other.problem_options.dims = arguments.pretrained_dims;
  const StandardProblem made = make_problem(other, {arguments.warm_metric}, seed + kOtherSeed);
  const std::unique_ptr<Agent> agent = make_agent(agent_options(arguments, 0), made.problem, seed + kOtherSeed);
  run_alone(made, *agent, arguments.agents[0], arguments.pretrained_trials, {});
  return agent->learned();
}

std::vector<Trial> run_agents(const Arguments& arguments, const StandardProblem& made, int trials, std::uint64_t seed,
                              const std::vector<Trial>& history) {
  if (arguments.agents.size() > 1 || arguments.round > 0 || arguments.halving.is_on())
    return run_together(made, arguments, trials, seed, history);
  AgentOptions options = agent_options(arguments, 0);
  options.learned = learned_elsewhere(arguments, seed);
  const std::unique_ptr<Agent> agent = make_agent(options, made.problem, seed);
  return run_alone(made, *agent, options.kind, trials, history);
}

// What a search for another exact metric measured, with the exact metrics of `made`.
std::vector<Trial> warm_history(const Arguments& arguments, const StandardProblem& made, std::uint64_t seed) {
  if (arguments.warm_trials == 0) return {};
  const StandardProblem other = make_problem(arguments, {arguments.warm_metric}, seed);
  const std::vector<Trial> earlier = run_agents(arguments, other, arguments.warm_trials, seed + kOtherSeed, {});
  return warm_start_trials(made.problem, other.problem.space, earlier, /*measured=*/0);
}

// The first proposals of every agent, as choices.
void print_design(const Arguments& arguments) {
  for (const lathe::policies::Candidate& candidate : initial_candidates(make_problem(arguments, arguments.table_objectives, 0).problem)) {
    for (const int choice : candidate.choices) std::cout << choice << ' ';
    std::cout << '\n';
  }
}

double run_seed(const Arguments& arguments, std::uint64_t seed) {
  const StandardProblem made = make_problem(arguments, arguments.table_objectives, seed);
  const std::vector<Trial> history = warm_history(arguments, made, seed);
  const bool pays_for_sensitivity = !arguments.table.empty() && arguments.problem_options.has_sensitivity;
  const int own_trials = arguments.trials - (pays_for_sensitivity ? sensitivity_evaluations(made.problem.space) : 0);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Trial> trials = run_agents(arguments, made, own_trials, seed, history);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double hypervolume = front_hypervolume(made.problem, made.problem.fronts[0], trials);
  std::cout << "seed " << seed << ": " << trials.size() << " trials, hypervolume " << hypervolume << ", "
            << 1e3 * seconds / static_cast<double>(std::max<std::size_t>(trials.size(), 1)) << " ms a trial\n";
  if (!arguments.trace.empty()) write_trace(arguments, made, trials, history.size(), seed);
  return hypervolume;
}

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  CLI::App app{"Hypervolume of agents on a standard problem"};
  app.add_option("--agent", arguments.agents, "one or more agents");
  app.add_option("--problem", arguments.problem,
                 "zdt1-4, zdt6, dtlz1-7, wfg1-9, bnh, osy, tnk, welded_beam, truss2d, disc_brake, carside or network");
  app.add_option("--dims", arguments.problem_options.dims, "decisions; engineering problems have their own number");
  app.add_option("--objectives", arguments.problem_options.objectives, "of dtlz and wfg");
  app.add_option("--levels", arguments.problem_options.levels, "values of each variable");
  app.add_option("--limit", arguments.limit,
                 "of the network problem or a table: accuracy alone within this share of the uncompressed cost, in place of the front");
  app.add_flag("--exact", arguments.is_exact, "tell the agents everything but the last objective, as latency is known in a search");
  app.add_option("--trials", arguments.trials);
  app.add_option("--seed", arguments.seed, "the first seed");
  app.add_option("--seeds", arguments.seeds, "how many");
  app.add_option("--set", arguments.settings, "option=value of the first agent");
  app.add_option("--round", arguments.round, "proposals a round of the controller; 0 = the agent alone, one proposal at a time");
  app.add_option("--allocation", arguments.allocation, "how rounds are divided among several agents")
      ->check(CLI::IsMember({"equal", "credit"}));
  app.add_option("--trace", arguments.trace, "append the hypervolume after each trial to this file");
  app.add_flag("--sensitivity", arguments.problem_options.has_sensitivity, "give the network problem its sensitivities");
  app.add_option("--table", arguments.table, "a table of measured policies instead of --problem");
  app.add_option("--objectives-of-table", arguments.table_objectives, "exact metrics beside accuracy");
  app.add_option("--warm-metric", arguments.warm_metric, "exact metric that an earlier search was for");
  app.add_option("--warm-trials", arguments.warm_trials, "of that search; 0 = none");
  app.add_option("--pretrained-trials", arguments.pretrained_trials,
                 "the one agent begins with what it learned in so many trials on a network of --pretrained-dims or for --warm-metric");
  app.add_option("--pretrained-dims", arguments.pretrained_dims, "decisions of that network");
  app.add_option("--halving", arguments.halving.factor, "of a table: factor of successive halving; 0 = every policy on all rows");
  app.add_option("--rungs", arguments.halving.rungs, "of successive halving");
  app.add_flag("--design", arguments.prints_design, "print the agents' first proposals instead, a line each");
  CLI11_PARSE(app, argc, argv);
  if (arguments.prints_design) {
    print_design(arguments);
    return 0;
  }
  double sum = 0;
  for (int s = 0; s < arguments.seeds; ++s) sum += run_seed(arguments, arguments.seed + static_cast<std::uint64_t>(s));
  std::cout << std::setprecision(10) << sum / arguments.seeds << std::endl;
  return 0;
} catch (const lathe::UserError& error) {
  std::cerr << error.what() << std::endl;
  return 2;
}

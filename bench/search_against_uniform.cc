// Searched policies against uniform ones: for each device and each latency budget, the best policy that a search found against the best of
// the grid of one keep ratio for all groups x one width for all layers. Both are chosen on the search split by the same rule and measured
// on the held-out split by the same evaluator, without recovery training; the differences are paired over its images.
//
//   search_against_uniform CONFIG.yaml RUN_DIR...     one run directory a seed, each made by `lathe search CONFIG.yaml`
//
// Prints Markdown tables, one a device.
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluators/evaluator.h"
#include "experiments/config/config.h"
#include "experiments/device_metrics.h"
#include "experiments/experiment.h"
#include "experiments/run_store.h"
#include "models/base/error.h"

namespace {

using namespace lathe;
using evaluators::Evaluation;
using evaluators::Split;
using policies::Candidate;
using policies::Decision;

constexpr double kBudgets[] = {0.3, 0.4, 0.5, 0.6, 0.7};  // of the float network's latency
// The search measures on few rows; the best of it are measured again on all search rows before one is chosen.
constexpr int kFinalists = 8;

struct Policy {
  Candidate candidate;
  std::string label;
  double accuracy = 0;  // on the rows of a trial
};

class Comparison {
 public:
  explicit Comparison(const experiments::Experiment& experiment) : experiment_(experiment) {}

  // One ratio for all groups and one width for all layers, each decision at its nearest legal value.
  std::vector<Policy> uniform_grid() {
    const std::vector<double> ratios{0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0};
    const std::vector<int> widths{2, 3, 4, 5, 6, 7, 8, 16, 32};
    std::map<Candidate, Policy> distinct;
    for (const double ratio : ratios) {
      for (const int width : widths) {
        Policy policy{uniform(ratio, width), "x" + shortened(ratio) + ", " + std::to_string(width) + " bit"};
        distinct.try_emplace(policy.candidate, policy);
      }
    }
    std::vector<Policy> grid;
    for (auto& [candidate, policy] : distinct) grid.push_back(std::move(policy));
    tbb::parallel_for(std::size_t{0}, grid.size(), [&](std::size_t i) {
      grid[i].accuracy = measure(grid[i].candidate, Split::kSearch, experiment_.config.evaluator.rows).accuracy;
    });
    return grid;
  }

  // The most accurate policy within the budget, or none. Finalists are those of highest accuracy on a trial's rows.
  std::optional<Policy> best_within(const std::vector<Policy>& policies, int target, double latency_ms) {
    std::vector<const Policy*> within;
    for (const Policy& policy : policies) {
      if (latency(policy.candidate, target) <= latency_ms) within.push_back(&policy);
    }
    std::stable_sort(within.begin(), within.end(), [](const Policy* a, const Policy* b) { return a->accuracy > b->accuracy; });
    if (within.size() > kFinalists) within.resize(kFinalists);
    // Together, since each takes seconds; `cached` then only looks up.
    std::vector<const Policy*> unknown;
    for (const Policy* policy : within) {
      if (!cache_.contains({policy->candidate, Split::kSearch})) unknown.push_back(policy);
    }
    std::vector<Evaluation> measured(unknown.size());
    tbb::parallel_for(std::size_t{0}, unknown.size(),
                      [&](std::size_t i) { measured[i] = measure(unknown[i]->candidate, Split::kSearch, 0); });
    for (std::size_t i = 0; i < unknown.size(); ++i) cache_.insert_or_assign({unknown[i]->candidate, Split::kSearch}, measured[i]);
    std::optional<Policy> best;
    double best_accuracy = -1;
    for (const Policy* policy : within) {
      const double accuracy = cached(policy->candidate, Split::kSearch).accuracy;
      if (accuracy > best_accuracy) {
        best = *policy;
        best_accuracy = accuracy;
      }
    }
    return best;
  }

  const Evaluation& cached(const Candidate& candidate, Split split) {
    const auto key = std::make_pair(candidate, split);
    const auto known = cache_.find(key);
    return known != cache_.end() ? known->second : cache_.emplace(key, measure(candidate, split, 0)).first->second;
  }

  double latency(const Candidate& candidate, int target) const {
    return experiment_.targets[static_cast<std::size_t>(target)].scorer->score(candidate).latency_ms;
  }

 private:
  static std::string shortened(double ratio) {
    std::ostringstream text;
    text << ratio;
    return text.str();
  }

  Candidate uniform(double ratio, int width) const {
    Candidate candidate;
    for (const Decision& decision : experiment_.space.decisions) {
      const double wanted = decision.kind == policies::DecisionKind::kKeptChannels ? ratio * decision.values.back() : width;
      int nearest = 0;
      for (int i = 1; i < static_cast<int>(decision.values.size()); ++i) {
        const auto distance = [&](int j) { return std::abs(decision.values[static_cast<std::size_t>(j)] - wanted); };
        if (distance(i) <= distance(nearest)) nearest = i;
      }
      candidate.choices.push_back(nearest);
    }
    return candidate;
  }

  Evaluation measure(const Candidate& candidate, Split split, std::int64_t rows) const {
    Evaluation evaluation = experiment_.evaluator().evaluate({.policy = experiment_.to_policy(candidate), .split = split, .rows = rows});
    if (!evaluation.is_ok) throw std::runtime_error(evaluation.error);
    return evaluation;
  }

  const experiments::Experiment& experiment_;
  std::map<std::pair<Candidate, Split>, Evaluation> cache_;
};

std::vector<Policy> searched(const std::string& run_dir) {
  std::vector<Policy> policies;
  for (const search::Trial& trial : experiments::RunStore(run_dir + "/run.db", experiments::RunStore::Mode::kRead).trials()) {
    if (trial.state == search::TrialState::kComplete) {
      policies.push_back({trial.candidate, "trial " + std::to_string(trial.id), trial.metrics[experiments::kAccuracyMetric]});
    }
  }
  return policies;
}

void print_device(const experiments::Experiment& experiment, Comparison& comparison, int target, const std::vector<Policy>& grid,
                  const std::vector<std::vector<Policy>>& runs) {
  const experiments::Target& device = experiment.targets[static_cast<std::size_t>(target)];
  std::cout << "\n### " << device.name() << ", float network " << device.float_prediction.latency_ms << " ms (predicted)\n\n"
            << "| latency budget | best uniform policy | its accuracy % |";
  for (std::size_t run = 0; run < runs.size(); ++run) std::cout << " searched " << run + 1 << ": accuracy % (difference, 95 %) |";
  std::cout << " mean difference |\n|---|---|---|";
  for (std::size_t run = 0; run < runs.size(); ++run) std::cout << "---|";
  std::cout << "---|\n" << std::fixed << std::setprecision(2);
  for (const double budget : kBudgets) {
    const double limit = budget * device.float_prediction.latency_ms;
    const std::optional<Policy> uniform = comparison.best_within(grid, target, limit);
    std::cout << "| " << std::lround(100 * budget) << " % | " << (uniform ? uniform->label : "none fits") << " | ";
    if (uniform) std::cout << 100 * comparison.cached(uniform->candidate, Split::kTest).accuracy;
    std::cout << " |";
    double sum = 0;
    for (const std::vector<Policy>& run : runs) {
      const std::optional<Policy> found = comparison.best_within(run, target, limit);
      if (!found) {
        std::cout << " none fits |";
        continue;
      }
      const Evaluation& ours = comparison.cached(found->candidate, Split::kTest);
      std::cout << ' ' << 100 * ours.accuracy;
      if (uniform) {
        const auto difference = evaluators::paired_difference(ours.correct, comparison.cached(uniform->candidate, Split::kTest).correct);
        sum += difference.difference;
        std::cout << std::showpos << " (" << 100 * difference.difference << ", " << 100 * difference.interval.first << " to "
                  << 100 * difference.interval.second << ')' << std::noshowpos;
      }
      std::cout << " |";
    }
    std::cout << std::showpos << ' ' << 100 * sum / static_cast<double>(runs.size()) << std::noshowpos << " |\n" << std::flush;
  }
  std::cout << std::defaultfloat << std::setprecision(6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: search_against_uniform CONFIG.yaml RUN_DIR...\n";
    return 2;
  }
  try {
    const experiments::Experiment experiment(experiments::load_config(argv[1]), /*load_train=*/false);
    Comparison comparison(experiment);
    const std::vector<Policy> grid = comparison.uniform_grid();
    std::vector<std::vector<Policy>> runs;
    for (int i = 2; i < argc; ++i) runs.push_back(searched(argv[i]));
    std::cout << "Float network: " << 100 * experiment.float_accuracy(Split::kTest).accuracy << " % on the held-out split; " << grid.size()
              << " uniform policies; " << runs.size() << " searches of " << runs.front().size() << " trials.\n";
    for (int target = 0; target < static_cast<int>(experiment.targets.size()); ++target) {
      print_device(experiment, comparison, target, grid, runs);
    }
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

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
#include <set>
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

  // The policies within the budget that are most accurate on a trial's rows, at most kFinalists.
  std::vector<const Policy*> finalists(const std::vector<Policy>& policies, int target, double latency_ms) const {
    std::vector<const Policy*> within;
    for (const Policy& policy : policies) {
      if (latency(policy.candidate, target) <= latency_ms) within.push_back(&policy);
    }
    std::stable_sort(within.begin(), within.end(), [](const Policy* a, const Policy* b) { return a->accuracy > b->accuracy; });
    if (within.size() > kFinalists) within.resize(kFinalists);
    return within;
  }

  // The finalist that is most accurate on all search rows, or null. They must have been measured.
  const Policy* best_of(const std::vector<const Policy*>& finalists) const {
    const Policy* best = nullptr;
    for (const Policy* policy : finalists) {
      if (best == nullptr || at(policy->candidate, Split::kSearch).accuracy > at(best->candidate, Split::kSearch).accuracy) best = policy;
    }
    return best;
  }

  // Measures all at once on all rows of the split, so that every core has work.
  void measure_all(const std::vector<const Policy*>& policies, Split split) {
    std::set<Candidate> unknown;
    for (const Policy* policy : policies) {
      if (policy != nullptr && !measured_.contains({policy->candidate, split})) unknown.insert(policy->candidate);
    }
    const std::vector<Candidate> work(unknown.begin(), unknown.end());
    std::vector<Evaluation> results(work.size());
    tbb::parallel_for(std::size_t{0}, work.size(), [&](std::size_t i) { results[i] = measure(work[i], split, 0); });
    for (std::size_t i = 0; i < work.size(); ++i) measured_.emplace(std::make_pair(work[i], split), std::move(results[i]));
  }
  const Evaluation& at(const Candidate& candidate, Split split) const { return measured_.at({candidate, split}); }

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
  std::map<std::pair<Candidate, Split>, Evaluation> measured_;
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

// What each set of policies has to offer within one budget on one device: the grid first, then the searches.
struct Row {
  int target;
  double budget;
  std::vector<std::vector<const Policy*>> finalists;
  std::vector<const Policy*> best;
};

std::vector<Row> compare(const experiments::Experiment& experiment, Comparison& comparison, const std::vector<std::vector<Policy>>& sets) {
  std::vector<Row> rows;
  std::vector<const Policy*> all;
  for (int target = 0; target < static_cast<int>(experiment.targets.size()); ++target) {
    const double float_ms = experiment.targets[static_cast<std::size_t>(target)].float_prediction.latency_ms;
    for (const double budget : kBudgets) {
      Row row{.target = target, .budget = budget};
      for (const std::vector<Policy>& set : sets) {
        row.finalists.push_back(comparison.finalists(set, target, budget * float_ms));
        all.insert(all.end(), row.finalists.back().begin(), row.finalists.back().end());
      }
      rows.push_back(std::move(row));
    }
  }
  comparison.measure_all(all, Split::kSearch);
  std::vector<const Policy*> winners;
  for (Row& row : rows) {
    for (const auto& finalists : row.finalists) row.best.push_back(comparison.best_of(finalists));
    winners.insert(winners.end(), row.best.begin(), row.best.end());
  }
  comparison.measure_all(winners, Split::kTest);
  return rows;
}

void print_head(const experiments::Target& device, std::size_t searches) {
  std::cout << std::defaultfloat << std::setprecision(4) << "\n### " << device.name() << ", float network "
            << device.float_prediction.latency_ms << " ms (predicted)\n\n| latency budget | best uniform policy | its accuracy % |";
  for (std::size_t run = 0; run < searches; ++run) std::cout << " searched " << run + 1 << ": accuracy % (difference, 95 %) |";
  std::cout << " mean difference |\n|---|---|---|";
  for (std::size_t run = 0; run < searches; ++run) std::cout << "---|";
  std::cout << "---|\n" << std::fixed << std::setprecision(2);
}

void print_row(const Comparison& comparison, const Row& row) {
  const Policy* uniform = row.best.front();
  std::cout << "| " << std::lround(100 * row.budget) << " % | " << (uniform != nullptr ? uniform->label : "none fits") << " | ";
  if (uniform != nullptr) std::cout << 100 * comparison.at(uniform->candidate, Split::kTest).accuracy;
  std::cout << " |";
  double sum = 0;
  for (std::size_t run = 1; run < row.best.size(); ++run) {
    if (row.best[run] == nullptr) {
      std::cout << " none fits |";
      continue;
    }
    const Evaluation& ours = comparison.at(row.best[run]->candidate, Split::kTest);
    std::cout << ' ' << 100 * ours.accuracy;
    if (uniform != nullptr) {
      const auto difference = evaluators::paired_difference(ours.correct, comparison.at(uniform->candidate, Split::kTest).correct);
      sum += difference.difference;
      std::cout << std::showpos << " (" << 100 * difference.difference << ", " << 100 * difference.interval.first << " to "
                << 100 * difference.interval.second << ')' << std::noshowpos;
    }
    std::cout << " |";
  }
  if (uniform != nullptr) std::cout << std::showpos << ' ' << 100 * sum / static_cast<double>(row.best.size() - 1) << std::noshowpos;
  std::cout << " |\n";
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
    std::vector<std::vector<Policy>> sets{comparison.uniform_grid()};
    for (int i = 2; i < argc; ++i) sets.push_back(searched(argv[i]));
    std::cout << "Float network: " << 100 * experiment.float_accuracy(Split::kTest).accuracy << " % on the held-out split; "
              << sets[0].size() << " uniform policies; " << sets.size() - 1 << " searches of " << sets[1].size() << " trials.\n";
    int printed = -1;
    for (const Row& row : compare(experiment, comparison, sets)) {
      if (row.target != printed) print_head(experiment.targets[static_cast<std::size_t>(row.target)], sets.size() - 1);
      printed = row.target;
      print_row(comparison, row);
    }
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

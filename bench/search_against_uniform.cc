// Searched policies against uniform ones: for each device and each latency budget, the best policy that a search found against the best of
// the grid of one keep ratio for all groups x one width for all layers. Both are chosen on the search split by the same rule and measured
// on the held-out split by the same evaluator, without recovery training; the differences are paired over its images. Where a uniform
// policy loses nothing, no policy can be more accurate, but one can be faster: so the fastest policy of each search is named that loses
// nothing against the uniform one on the search split.
//
//   search_against_uniform RUN_DIR...     searches of one config, one run directory a seed
//
// Prints Markdown tables, one a device.
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <functional>
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

struct Policy {
  Candidate candidate;
  std::string label;
  double loss = 0;  // of accuracy against the float network, on the rows of a trial
};

double correct_share(const std::vector<std::uint8_t>& correct, std::int64_t rows) {
  return static_cast<double>(std::count(correct.begin(), correct.begin() + rows, 1)) / static_cast<double>(rows);
}

// Which policy of a set wins: of those allowed, the one of lowest cost. Both may ask for what is known of a policy's loss.
struct Contest {
  const std::vector<Policy>* policies;
  std::function<bool(const Policy&)> is_allowed;
  std::function<double(const Policy&)> cost;
};

class Comparison {
 public:
  explicit Comparison(const experiments::Experiment& experiment)
      : experiment_(experiment),
        float_search_(experiment.float_accuracy(Split::kSearch)),
        float_test_(experiment.float_accuracy(Split::kTest)) {}

  const Evaluation& float_test() const { return float_test_; }

  // One ratio for all groups and one width for all layers, each decision at its nearest legal value.
  std::vector<Policy> uniform_grid() {
    const std::vector<int> widths{2, 3, 4, 5, 6, 7, 8, 16, 32};
    std::map<Candidate, Policy> distinct;
    for (const double ratio : experiment_.config.space.keep_ratios) {
      for (const int width : widths) {
        Policy policy{uniform(ratio, width), "x" + shortened(ratio) + ", " + std::to_string(width) + " bit"};
        distinct.try_emplace(policy.candidate, policy);
      }
    }
    std::vector<Policy> grid;
    for (auto& [candidate, policy] : distinct) grid.push_back(std::move(policy));
    tbb::parallel_for(std::size_t{0}, grid.size(), [&](std::size_t i) {
      const std::int64_t rows = experiment_.config.evaluator.rows;
      grid[i].loss = loss(measure(grid[i].candidate, Split::kSearch, rows).accuracy);
    });
    return grid;
  }

  std::vector<Policy> searched(const std::string& run_dir) const {
    std::vector<Policy> policies;
    for (const search::Trial& trial : experiments::RunStore(run_dir + "/run.db", experiments::RunStore::Mode::kRead).trials()) {
      if (trial.state == search::TrialState::kComplete)
        policies.push_back({trial.candidate, "trial " + std::to_string(trial.id), loss(trial.metrics[experiments::kAccuracyMetric])});
    }
    return policies;
  }

  // On all search rows where they have been run, else on those of a trial.
  double known_loss(const Policy& policy) const {
    const auto found = measured_.find({policy.candidate, Split::kSearch});
    return found == measured_.end() ? policy.loss : float_search_.accuracy - found->second.accuracy;
  }

  // The winner of each contest, null where nothing is allowed. What a trial's rows say of hundreds of policies flatters the best of them,
  // so leaders are run on all search rows and the contests are held again, until every leader has been.
  std::vector<const Policy*> settle(const std::vector<Contest>& contests) {
    for (;;) {
      std::vector<const Policy*> winners, open;
      for (const Contest& contest : contests) {
        const std::vector<const Policy*> leaders = ranking(contest);
        winners.push_back(leaders.empty() ? nullptr : leaders.front());
        if (leaders.empty() || is_measured(*leaders.front(), Split::kSearch)) continue;
        // The next ones are likely to be asked for; together they keep all cores busy.
        constexpr std::size_t kAtOnce = 3;
        open.insert(open.end(), leaders.begin(), leaders.begin() + static_cast<std::ptrdiff_t>(std::min(kAtOnce, leaders.size())));
      }
      if (open.empty()) return winners;
      measure_all(open, Split::kSearch);
    }
  }

  // Measures all at once on all rows of the split.
  void measure_all(const std::vector<const Policy*>& policies, Split split) {
    std::set<Candidate> unknown;
    for (const Policy* policy : policies) {
      if (policy != nullptr && !is_measured(*policy, split)) unknown.insert(policy->candidate);
    }
    const std::vector<Candidate> work(unknown.begin(), unknown.end());
    std::vector<Evaluation> results(work.size());
    tbb::parallel_for(std::size_t{0}, work.size(), [&](std::size_t i) { results[i] = measure(work[i], split, 0); });
    for (std::size_t i = 0; i < work.size(); ++i) measured_.emplace(std::make_pair(work[i], split), std::move(results[i]));
  }
  const Evaluation& test(const Policy& policy) const { return measured_.at({policy.candidate, Split::kTest}); }

  double latency_ms(const Policy& policy, int target) const {
    return experiment_.targets[static_cast<std::size_t>(target)].scorer->score(policy.candidate).latency_ms;
  }

 private:
  static std::string shortened(double ratio) {
    std::ostringstream text;
    text << ratio;
    return text.str();
  }

  // accuracy: on the rows of a trial
  double loss(double accuracy) const {
    const std::int64_t rows = experiment_.config.evaluator.rows;
    return correct_share(float_search_.correct, rows > 0 ? std::min(rows, float_search_.samples) : float_search_.samples) - accuracy;
  }

  bool is_measured(const Policy& policy, Split split) const { return measured_.contains({policy.candidate, split}); }

  static std::vector<const Policy*> ranking(const Contest& contest) {
    std::vector<std::pair<double, const Policy*>> allowed;
    for (const Policy& policy : *contest.policies) {
      if (contest.is_allowed(policy)) allowed.emplace_back(contest.cost(policy), &policy);
    }
    std::stable_sort(allowed.begin(), allowed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<const Policy*> ranked;
    for (const auto& [cost, policy] : allowed) ranked.push_back(policy);
    return ranked;
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
  Evaluation float_search_;
  Evaluation float_test_;
  std::map<std::pair<Candidate, Split>, Evaluation> measured_;
};

// What each set of policies has to offer for one budget on one device.
struct Row {
  int target;
  double budget;
  const Policy* uniform = nullptr;
  std::vector<const Policy*> most_accurate;  // within the budget, one a search
  std::vector<const Policy*> fastest;        // of those that lose nothing against the uniform one on the search split, one a search
};

std::vector<Row> compare(const experiments::Experiment& experiment, Comparison& comparison, const std::vector<Policy>& grid,
                         const std::vector<std::vector<Policy>>& searches) {
  std::vector<Row> rows;
  for (int target = 0; target < static_cast<int>(experiment.targets.size()); ++target) {
    for (const double budget : kBudgets) rows.push_back({.target = target, .budget = budget});
  }
  const auto within = [&](const Row& row, const std::vector<Policy>& policies) {
    const double limit_ms = row.budget * experiment.targets[static_cast<std::size_t>(row.target)].float_prediction.latency_ms;
    return Contest{.policies = &policies,
                   .is_allowed = [&comparison, limit_ms,
                                  target = row.target](const Policy& p) { return comparison.latency_ms(p, target) <= limit_ms; },
                   .cost = [&comparison](const Policy& p) { return comparison.known_loss(p); }};
  };
  std::vector<Contest> accuracy;
  for (const Row& row : rows) {
    accuracy.push_back(within(row, grid));
    for (const std::vector<Policy>& search : searches) accuracy.push_back(within(row, search));
  }
  std::vector<const Policy*> winners = comparison.settle(accuracy);
  auto next = winners.begin();
  for (Row& row : rows) {
    row.uniform = *next++;
    for (std::size_t run = 0; run < searches.size(); ++run) row.most_accurate.push_back(*next++);
  }

  std::vector<Contest> speed;
  for (const Row& row : rows) {
    for (const std::vector<Policy>& search : searches) {
      speed.push_back(
          {.policies = &search,
           .is_allowed = [&comparison, uniform = row.uniform](
                             const Policy& p) { return uniform != nullptr && comparison.known_loss(p) <= comparison.known_loss(*uniform); },
           .cost = [&comparison, target = row.target](const Policy& p) { return comparison.latency_ms(p, target); }});
    }
  }
  const std::vector<const Policy*> fastest = comparison.settle(speed);
  for (std::size_t i = 0; i < fastest.size(); ++i) rows[i / searches.size()].fastest.push_back(fastest[i]);
  winners.insert(winners.end(), fastest.begin(), fastest.end());
  comparison.measure_all(winners, Split::kTest);
  return rows;
}

// "91.20 (+0.10, -0.49 to +0.69)": accuracy in % and the paired difference to the uniform policy's in points with its 95 % interval
std::string against_uniform(const Comparison& comparison, const Row& row, const Policy& ours) {
  const Evaluation& evaluation = comparison.test(ours);
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << 100 * evaluation.accuracy;
  if (row.uniform != nullptr) {
    const auto paired = evaluators::paired_difference(evaluation.correct, comparison.test(*row.uniform).correct);
    text << std::showpos << " (" << 100 * paired.difference << ", " << 100 * paired.interval.first << " to " << 100 * paired.interval.second
         << ')';
  }
  return text.str();
}

void print_head(const std::string& title, const std::string& cell, std::size_t searches) {
  std::cout << '\n' << title << "\n\n| latency budget | best uniform policy | its latency % | its accuracy % |";
  for (std::size_t run = 0; run < searches; ++run) std::cout << " search " << run + 1 << ": " << cell << " |";
  std::cout << " mean |\n|---|---|---|---|";
  for (std::size_t run = 0; run < searches; ++run) std::cout << "---|";
  std::cout << "---|\n";
}

void print_uniform(const Comparison& comparison, const Row& row, double float_ms) {
  std::cout << "| " << std::lround(100 * row.budget) << " % | ";
  if (row.uniform == nullptr)
    std::cout << "none fits | | |";
  else
    std::cout << row.uniform->label << " | " << std::fixed << std::setprecision(1)
              << 100 * comparison.latency_ms(*row.uniform, row.target) / float_ms << " | " << std::setprecision(2)
              << 100 * comparison.test(*row.uniform).accuracy << " |";
}

void print_accuracy_row(const Comparison& comparison, const Row& row, double float_ms) {
  print_uniform(comparison, row, float_ms);
  double sum = 0;
  for (const Policy* ours : row.most_accurate) {
    std::cout << ' ' << (ours == nullptr ? "none fits" : against_uniform(comparison, row, *ours)) << " |";
    if (ours != nullptr && row.uniform != nullptr) sum += comparison.test(*ours).accuracy - comparison.test(*row.uniform).accuracy;
  }
  std::cout << std::showpos << ' ' << 100 * sum / static_cast<double>(row.most_accurate.size()) << std::noshowpos << " |\n";
}

void print_speed_row(const Comparison& comparison, const Row& row, double float_ms) {
  print_uniform(comparison, row, float_ms);
  double sum = 0;
  for (const Policy* ours : row.fastest) {
    if (ours == nullptr) {
      std::cout << " none |";
      continue;
    }
    const double share = 100 * comparison.latency_ms(*ours, row.target) / float_ms;
    sum += share;
    std::cout << ' ' << std::setprecision(1) << share << "; " << against_uniform(comparison, row, *ours) << " |";
  }
  std::cout << ' ' << std::setprecision(1) << sum / static_cast<double>(row.fastest.size()) << " |\n";
}

void print_tables(const experiments::Experiment& experiment, const Comparison& comparison, const std::vector<Row>& rows) {
  for (std::size_t target = 0; target < experiment.targets.size(); ++target) {
    const double float_ms = experiment.targets[target].float_prediction.latency_ms;
    const std::size_t searches = rows.front().most_accurate.size();
    const auto of_target = [&](const auto& print) {
      for (const Row& row : rows) {
        if (row.target == static_cast<int>(target)) print(comparison, row, float_ms);
      }
    };
    std::cout << std::defaultfloat << std::setprecision(4) << "\n### " << experiment.targets[target].name() << ", float network "
              << float_ms << " ms (predicted)\n";
    print_head("Most accurate within the budget; mean of the differences, points:", "accuracy % (difference, 95 %)", searches);
    of_target(print_accuracy_row);
    print_head("Fastest that loses nothing against the uniform policy on the search images; mean of the latencies, %:",
               "latency %; accuracy % (difference, 95 %)", searches);
    of_target(print_speed_row);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> run_dirs(argv + 1, argv + argc);
  if (run_dirs.empty()) {
    std::cerr << "usage: search_against_uniform RUN_DIR...\n";
    return 2;
  }
  try {
    const experiments::Experiment experiment(experiments::load_config(run_dirs.front() + "/config.yaml"), /*load_train=*/false);
    Comparison comparison(experiment);
    const std::vector<Policy> grid = comparison.uniform_grid();
    std::vector<std::vector<Policy>> searches;
    for (const std::string& run_dir : run_dirs) searches.push_back(comparison.searched(run_dir));
    std::cout << "Float network: " << 100 * comparison.float_test().accuracy << " % on the held-out split; " << grid.size()
              << " uniform policies; " << searches.size() << " searches of " << searches.front().size() << " trials.\n";
    print_tables(experiment, comparison, compare(experiment, comparison, grid, searches));
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

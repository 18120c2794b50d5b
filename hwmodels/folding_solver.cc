#include "hwmodels/folding_solver.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lathe::hwmodels {
namespace {

// Price updates before an interval counts as not fitting; the bound settles most questions in under ten.
constexpr int kPriceSteps = 40;
// Every so many price updates the choice is repaired move by move.
constexpr int kRepairEvery = 4;
// Branch-and-bound nodes a question, reached by none of the small cases of the tests.
constexpr int kMostNodes = 2000000;
// Sums of resources may differ by rounding.
constexpr double kSlack = 1 + 1e-12;

bool fits(const ResourceVector& used, const ResourceVector& limits) {
  for (int r = 0; r < kFoldingResources; ++r) {
    if (used[r] > limits[r] * kSlack) return false;
  }
  return true;
}

void add_to(ResourceVector& sum, const ResourceVector& part) {
  for (int r = 0; r < kFoldingResources; ++r) sum[r] += part[r];
}

double cost_of(const ResourceVector& prices, const ResourceVector& resources) {
  return std::inner_product(prices.begin(), prices.end(), resources.begin(), 0.0);
}

// The question for one interval: is there a choice of options, among those of each stage that are quick enough, within the limits? Only
// those matter that no other quick one beats in every resource.
class Question {
 public:
  Question(std::span<const StageOptions* const> stages, const ResourceVector& limits)
      : stages_(stages), limits_(limits), counts_(stages.size()), fronts_(stages.size()), chosen_(stages.size()) {
    for (int r = 0; r < kFoldingResources; ++r) prices_[r] = 1 / limits_[r];
  }

  bool is_answered_yes(double interval) {
    ResourceVector least{};
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const std::vector<FoldingOption>& options = stages_[i]->options;
      const auto end = std::upper_bound(options.begin(), options.end(), interval,
                                        [](double limit, const FoldingOption& option) { return limit < option.cycles; });
      counts_[i] = static_cast<int>(end - options.begin());
      if (counts_[i] == 0) return false;
      const auto last = static_cast<std::size_t>(counts_[i] - 1);
      add_to(least, stages_[i]->lowest[last]);
      const auto begin = static_cast<std::size_t>(stages_[i]->front_begin[last]);
      fronts_[i] = std::span(stages_[i]->front).subspan(begin, static_cast<std::size_t>(stages_[i]->front_begin[last + 1]) - begin);
    }
    if (!fits(least, limits_)) return false;
    const int answer = ask_prices();
    if (answer != 0) return answer > 0;
    return static_cast<int>(stages_.size()) <= kExactStages && ask_exactly();
  }

  // The choice of the last yes.
  const std::vector<int>& chosen() const { return chosen_; }

 private:
  // How far `used` is over the limits, as shares of them.
  double excess(const ResourceVector& used) const {
    double sum = 0;
    for (int r = 0; r < kFoldingResources; ++r) sum += std::max(0.0, used[r] / limits_[r] - 1);
    return sum;
  }

  // Each stage takes its cheapest option; returns their costs together.
  double choose_cheapest(const ResourceVector& prices, std::vector<int>& choice, ResourceVector& used) const {
    double total_cost = 0;
    used = {};
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const std::vector<FoldingOption>& options = stages_[i]->options;
      int best = fronts_[i].front();
      double best_cost = cost_of(prices, options[static_cast<std::size_t>(best)].resources);
      for (const int j : fronts_[i].subspan(1)) {
        const double cost = cost_of(prices, options[static_cast<std::size_t>(j)].resources);
        if (cost < best_cost) {
          best = j;
          best_cost = cost;
        }
      }
      choice[i] = best;
      total_cost += best_cost;
      add_to(used, options[static_cast<std::size_t>(best)].resources);
    }
    return total_cost;
  }

  // 1: fits, -1: proven not to fit, 0: not known.
  int ask_prices() {
    std::vector<int> choice(stages_.size());
    for (int step = 0; step < kPriceSteps; ++step) {
      ResourceVector used{};
      const double total_cost = choose_cheapest(prices_, choice, used);
      if (total_cost > cost_of(prices_, limits_) * kSlack) return -1;
      const bool is_repair_step = step % kRepairEvery == kRepairEvery - 1;
      if (fits(used, limits_) || (is_repair_step && repair(choice, used))) {
        chosen_ = choice;
        return 1;
      }
      // Multiplicative update with falling steps; a price may fall as well where a resource is left over.
      const double rate = 1.0 / (1.0 + 0.2 * step);
      for (int r = 0; r < kFoldingResources; ++r) prices_[r] *= std::exp(rate * std::clamp(used[r] / limits_[r] - 1, -1.0, 1.0));
    }
    return 0;
  }

  // At one set of prices equal stages choose alike; what is over the limits is then moved stage by stage, the move that helps most first.
  bool repair(std::vector<int>& choice, ResourceVector used) const {
    double before = excess(used);
    while (before > 0) {
      double best = before;
      std::size_t best_stage = 0;
      int best_option = -1;
      for (std::size_t i = 0; i < stages_.size(); ++i) {
        ResourceVector without = used;
        const std::vector<FoldingOption>& options = stages_[i]->options;
        for (int r = 0; r < kFoldingResources; ++r) without[r] -= options[static_cast<std::size_t>(choice[i])].resources[r];
        for (const int j : fronts_[i]) {
          ResourceVector next = without;
          add_to(next, options[static_cast<std::size_t>(j)].resources);
          const double after = excess(next);
          if (after < best) {
            best = after;
            best_stage = i;
            best_option = j;
          }
        }
      }
      if (best_option < 0) return false;
      const std::vector<FoldingOption>& options = stages_[best_stage]->options;
      for (int r = 0; r < kFoldingResources; ++r) {
        used[r] += options[static_cast<std::size_t>(best_option)].resources[r] -
                   options[static_cast<std::size_t>(choice[best_stage])].resources[r];
      }
      choice[best_stage] = best_option;
      before = best;
    }
    return true;
  }

  bool ask_exactly() {
    rest_.assign(stages_.size() + 1, ResourceVector{});
    for (std::size_t i = stages_.size(); i-- > 0;) {
      rest_[i] = rest_[i + 1];
      add_to(rest_[i], stages_[i]->lowest[static_cast<std::size_t>(counts_[i] - 1)]);
    }
    nodes_ = 0;
    return descend(0, {});
  }

  // Chooses stages from `i` on; `used` by the ones before.
  bool descend(std::size_t i, const ResourceVector& used) {
    if (i == stages_.size()) return true;
    if (++nodes_ > kMostNodes) return false;
    for (const int j : fronts_[i]) {
      ResourceVector next = used;
      add_to(next, stages_[i]->options[static_cast<std::size_t>(j)].resources);
      ResourceVector bound = next;
      add_to(bound, rest_[i + 1]);
      if (!fits(bound, limits_)) continue;
      chosen_[i] = j;
      if (descend(i + 1, next)) return true;
    }
    return false;
  }

  std::span<const StageOptions* const> stages_;
  const ResourceVector& limits_;
  std::vector<int> counts_;                   // options of each stage that are quick enough
  std::vector<std::span<const int>> fronts_;  // of these, the ones that matter
  std::vector<int> chosen_;
  ResourceVector prices_{};           // from question to question: neighbouring intervals have alike ones
  std::vector<ResourceVector> rest_;  // least resources of the stages from i on
  int nodes_ = 0;
};

double slowest(std::span<const StageOptions* const> stages, const std::vector<int>& chosen) {
  double cycles = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    cycles = std::max(cycles, stages[i]->options[static_cast<std::size_t>(chosen[i])].cycles);
  }
  return cycles;
}

// For each stage the folding that takes the least share of the chip, whatever its speed. At least one resource is short with these.
FoldingSolution smallest_foldings(std::span<const StageOptions* const> stages, const ResourceVector& limits) {
  ResourceVector shares;
  for (int r = 0; r < kFoldingResources; ++r) shares[r] = 1 / limits[r];
  FoldingSolution solution;
  for (const StageOptions* stage : stages) {
    const auto best = std::min_element(stage->options.begin(), stage->options.end(), [&](const FoldingOption& a, const FoldingOption& b) {
      return cost_of(shares, a.resources) < cost_of(shares, b.resources);
    });
    add_to(solution.used, best->resources);
    solution.chosen.push_back(static_cast<int>(best - stage->options.begin()));
  }
  solution.initiation_interval = slowest(stages, solution.chosen);
  return solution;
}

}  // namespace

FoldingSolution solve_folding(std::span<const StageOptions* const> stages, const ResourceVector& limits, double least_interval) {
  double low = least_interval, high = least_interval;
  for (const StageOptions* stage : stages) {
    low = std::max(low, stage->options.front().cycles);
    high = std::max(high, stage->options.back().cycles);
  }
  Question question(stages, limits);
  if (!question.is_answered_yes(high)) return smallest_foldings(stages, limits);
  FoldingSolution best{.is_feasible = true, .initiation_interval = high, .chosen = question.chosen(), .used = {}};
  high = std::max(low, slowest(stages, best.chosen));
  // Invariant: `high` fits, every interval below `low` does not.
  while (low < high) {
    const double middle = std::floor((low + high) / 2);
    if (question.is_answered_yes(middle)) {
      best.chosen = question.chosen();
      high = std::max(low, std::min(middle, slowest(stages, best.chosen)));
    } else {
      low = middle + 1;
    }
  }
  best.initiation_interval = std::max(least_interval, slowest(stages, best.chosen));
  for (std::size_t i = 0; i < stages.size(); ++i) add_to(best.used, stages[i]->options[static_cast<std::size_t>(best.chosen[i])].resources);
  return best;
}

}  // namespace lathe::hwmodels

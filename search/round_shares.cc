#include "search/round_shares.h"

#include <algorithm>
#include <cmath>

#include "search/initial_design.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

constexpr int kDesign = 16;  // trials that agents begin with where no sensitivities are known

}  // namespace

RoundShares::RoundShares(const Problem& problem, std::vector<std::string> agents, Allocation allocation)
    : problem_(problem),
      agents_(std::move(agents)),
      allocation_(allocation),
      first_credited_(2 * initial_trials(problem, initial_candidates(problem).size(), kDesign)),
      accounts_(agents_.size()) {
  for (const Front& front : problem.fronts) archives_.emplace_back(front.metrics.size());
  hypervolumes_.resize(problem.fronts.size(), 0);
}

void RoundShares::learn(std::span<const Trial> finished) {
  if (allocation_ == Allocation::kEqual || agents_.size() == 1) return;
  constexpr double kWindow = 20;  // trials of each agent that count, on average
  const double fade = 1 - 1 / (kWindow * static_cast<double>(agents_.size()));
  for (const Trial& trial : finished) {
    for (Account& account : accounts_) {
      account.gain *= fade;
      account.trials *= fade;
    }
    const double gain = gain_of(trial);
    const auto agent = std::find(agents_.begin(), agents_.end(), trial.agent);
    if (agent == agents_.end() || trial.id < first_credited_) continue;  // a filler of the controller; the design
    Account& account = accounts_[static_cast<std::size_t>(agent - agents_.begin())];
    account.gain += gain;
    account.trials += 1;
  }
}

// Over all fronts: one trial may serve several devices.
double RoundShares::gain_of(const Trial& trial) {
  double gain = 0;
  for (std::size_t f = 0; f < archives_.size(); ++f) {
    const Front& front = problem_.fronts[f];
    if (!is_feasible(problem_, front, trial)) continue;
    if (!archives_[f].insert(to_minimized(problem_, front, trial.metrics), trial.id)) continue;
    const double before = hypervolumes_[f];
    hypervolumes_[f] = archives_[f].hypervolume(minimized_reference(problem_, front));
    if (hypervolumes_[f] > 0) gain += (hypervolumes_[f] - before) / hypervolumes_[f];
  }
  return gain;
}

std::vector<double> RoundShares::shares() const {
  constexpr double kFloor = 0.3;  // e
  const auto n = static_cast<double>(accounts_.size());
  std::vector<double> values;
  double sum = 0;
  for (const Account& account : accounts_) {
    values.push_back(account.trials > 0 ? account.gain / account.trials : 0);
    sum += values.back();
  }
  for (double& value : values) value = sum > 0 ? kFloor / n + (1 - kFloor) * value / sum : 1 / n;
  return values;
}

std::vector<int> RoundShares::next(int total) {
  return allocation_ == Allocation::kEqual ? equal(total) : by_credit(total);
}

// Who gets the rest of the division moves on from round to round.
std::vector<int> RoundShares::equal(int total) {
  const int n = static_cast<int>(agents_.size());
  std::vector<int> counts(agents_.size(), total / n);
  for (int k = 0; k < total % n; ++k) ++counts[static_cast<std::size_t>((rounds_ + k) % n)];
  ++rounds_;
  return counts;
}

std::vector<int> RoundShares::by_credit(int total) {
  const std::vector<double> share = shares();
  std::vector<int> counts(accounts_.size(), 0);
  int left = total;
  for (std::size_t a = 0; a < accounts_.size(); ++a) {
    accounts_[a].owed += total * share[a];
    counts[a] = std::clamp(static_cast<int>(std::floor(accounts_[a].owed)), 0, left);
    accounts_[a].owed -= counts[a];
    left -= counts[a];
  }
  for (; left > 0; --left) {
    const auto most =
        std::max_element(accounts_.begin(), accounts_.end(), [](const Account& a, const Account& b) { return a.owed < b.owed; });
    most->owed -= 1;
    ++counts[static_cast<std::size_t>(most - accounts_.begin())];
  }
  return counts;
}

}  // namespace lathe::search

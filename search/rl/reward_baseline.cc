#include "search/rl/reward_baseline.h"

#include <algorithm>
#include <cmath>

namespace lathe::search {
namespace {

constexpr int kBins = 12;        // of budget shares in [0, 1]
constexpr double kForget = 0.1;  // weight of a new reward in a bin's average

std::size_t bin_of(double budget) {
  return static_cast<std::size_t>(std::clamp(static_cast<int>(budget * kBins), 0, kBins - 1));
}

}  // namespace

void RewardBaseline::add(int front, double budget, double reward) {
  if (averages_.size() <= static_cast<std::size_t>(front))
    averages_.resize(static_cast<std::size_t>(front) + 1, std::vector<Average>(kBins));
  Average& average = averages_[static_cast<std::size_t>(front)][bin_of(budget)];
  average.value = average.is_known ? (1 - kForget) * average.value + kForget * reward : reward;
  average.is_known = true;
  count_ += 1;
  overall_ += (reward - overall_) / count_;
  const double deviation = reward - overall_;
  spread_ += (deviation * deviation - spread_) / count_;
}

// Linear between the centres of known neighbouring bins; else the nearest known one.
double RewardBaseline::at(int front, double budget) const {
  if (static_cast<std::size_t>(front) >= averages_.size()) return overall_;
  const std::vector<Average>& bins = averages_[static_cast<std::size_t>(front)];
  const double position = std::clamp(budget * kBins - 0.5, 0.0, kBins - 1.0);
  int below = static_cast<int>(position), above = below + 1;
  while (below >= 0 && !bins[static_cast<std::size_t>(below)].is_known) --below;
  while (above < kBins && !bins[static_cast<std::size_t>(above)].is_known) ++above;
  if (below < 0 && above >= kBins) return overall_;
  if (below < 0) return bins[static_cast<std::size_t>(above)].value;
  if (above >= kBins) return bins[static_cast<std::size_t>(below)].value;
  const double share = (position - below) / (above - below);
  return (1 - share) * bins[static_cast<std::size_t>(below)].value + share * bins[static_cast<std::size_t>(above)].value;
}

double RewardBaseline::advantage(int front, double budget, double reward) const {
  return (reward - at(front, budget)) / std::max(std::sqrt(spread_), 1e-9);
}

}  // namespace lathe::search

// What accuracy is usual under a budget, which a reward is compared with.
#pragma once

#include <cstddef>
#include <vector>

namespace lathe::search {

// The moving average of the rewards that were reached with a similar budget on the same front (AMC subtracts one moving average; with many
// budgets that would mostly say how large the budget was).
class RewardBaseline {
 public:
  // reward: larger is better, any scale. budget: a share of the uncompressed cost.
  void add(int front, double budget, double reward);
  // With no episode near, the average of all.
  double at(int front, double budget) const;
  // The reward's distance from the baseline, in standard deviations of all rewards.
  double advantage(int front, double budget, double reward) const;

 private:
  struct Average {
    double value = 0;
    bool is_known = false;
  };
  std::vector<std::vector<Average>> averages_;  // by front and budget bin
  double count_ = 0, overall_ = 0, spread_ = 0;  // running mean of rewards and their variance
};

}  // namespace lathe::search

// Episodes of all agents' trials, as the learners see them.
#pragma once

#include <vector>

#include "models/base/rng.h"
#include "search/rl/layer_walk.h"
#include "search/rl/learner.h"

namespace lathe::search {

class ReplayBuffer {
 public:
  // length: decisions of an episode.
  ReplayBuffer(int length, int state_size) : length_(length), state_size_(state_size) {}

  // reward: larger is better, any scale. budget: the share of cost that the episode kept to.
  void add(LayerWalk::Episode episode, int front, double budget, double reward);
  std::size_t size() const { return episodes_.size(); }

  // `count` transitions drawn uniformly. Rewards are standardized advantages over a baseline: the moving average of what was reached with a
  // similar budget on the same front (AMC subtracts one moving average; with many budgets that would mostly say how large the
  // budget was).
  Batch sample(int count, Rng& rng) const;
  // That baseline; with no episode near, the average of all.
  double baseline(int front, double budget) const;

 private:
  struct Stored {
    LayerWalk::Episode episode;
    int front;
    double budget, reward;
  };
  int length_, state_size_;
  std::vector<Stored> episodes_;
  struct Average {
    double value = 0;
    bool is_known = false;
  };
  std::vector<std::vector<Average>> averages_;  // by front and budget bin
  double overall_ = 0, spread_ = 0;             // running mean of rewards and their variance
};

}  // namespace lathe::search

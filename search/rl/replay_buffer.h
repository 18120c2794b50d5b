// Episodes of all agents' trials, as the learners see them.
#pragma once

#include <vector>

#include "models/base/rng.h"
#include "search/rl/layer_walk.h"
#include "search/rl/learner.h"
#include "search/rl/reward_baseline.h"

namespace lathe::search {

class ReplayBuffer {
 public:
  // length: decisions of an episode.
  ReplayBuffer(int length, int state_size) : length_(length), state_size_(state_size) {}

  // reward: larger is better, any scale. budget: the share of cost that the episode kept to.
  void add(LayerWalk::Episode episode, int front, double budget, double reward);
  std::size_t size() const { return episodes_.size(); }

  // `count` transitions drawn uniformly, with the advantages of their episodes as rewards.
  Batch sample(int count, Rng& rng) const;

 private:
  struct Stored {
    LayerWalk::Episode episode;
    int front;
    double budget, reward;
  };
  int length_, state_size_;
  std::vector<Stored> episodes_;
  RewardBaseline baseline_;
};

}  // namespace lathe::search

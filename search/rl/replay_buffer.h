// Episodes of all agents' trials, as the learners see them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/base/rng.h"
#include "search/rl/layer_walk.h"
#include "search/rl/learner.h"
#include "search/rl/reward_baseline.h"
#include "search/rl/sum_tree.h"

namespace lathe::search {

class ReplayBuffer {
 public:
  // length: decisions of an episode. prioritization: alpha of T. Schaul et al., Prioritized Experience Replay, ICLR 2016, eq. 1; 0 = every
  // transition is as likely.
  ReplayBuffer(int length, int state_size, double prioritization = 0) : length_(length), state_size_(state_size), alpha_(prioritization) {}

  // reward: larger is better, any scale. budget: the share of cost that the episode kept to.
  void add(LayerWalk::Episode episode, int front, double budget, double reward);
  std::size_t size() const { return episodes_.size(); }

  // `count` transitions with the advantages of their episodes as rewards. With priorities p: transition i is drawn with probability P(i) =
  // p_i^alpha / sum, one from each of `count` equal parts of the sum (the paper's B.2.1), and weighs (N P(i))^-beta over the largest of the
  // batch (section 3.4).
  Batch sample(int count, Rng& rng, double beta = 1) const;

  // What the critics are off by at the transitions Batch::picked: their priorities (proportional variant, section 3.3).
  void prioritize(std::span<const std::size_t> picked, std::span<const float> errors);

 private:
  struct Stored {
    LayerWalk::Episode episode;
    int front;
    double budget, reward;
  };
  std::size_t draw(int index, int count, Rng& rng) const;
  void append(std::size_t transition, Batch& batch) const;

  int length_, state_size_;
  double alpha_;
  std::vector<Stored> episodes_;
  RewardBaseline baseline_;
  SumTree priorities_;           // p^alpha of each transition, episode by episode; empty for alpha 0
  double largest_priority_ = 1;  // of new transitions, so that each is learned from soon
};

}  // namespace lathe::search

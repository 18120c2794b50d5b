#include "search/rl/replay_buffer.h"

namespace lathe::search {

void ReplayBuffer::add(LayerWalk::Episode episode, int front, double budget, double reward) {
  baseline_.add(front, budget, reward);
  episodes_.push_back({std::move(episode), front, budget, reward});
}

Batch ReplayBuffer::sample(int count, Rng& rng) const {
  const auto size = static_cast<std::size_t>(state_size_);
  Batch batch;
  for (int i = 0; i < count; ++i) {
    const Stored& stored = episodes_[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(episodes_.size())))];
    const auto t = static_cast<std::size_t>(rng.below(length_));
    const bool is_final = static_cast<int>(t) + 1 == length_;
    const auto state = stored.episode.states.begin() + static_cast<std::ptrdiff_t>(t * size);
    const auto next = is_final ? state : state + static_cast<std::ptrdiff_t>(size);
    batch.states.insert(batch.states.end(), state, state + static_cast<std::ptrdiff_t>(size));
    batch.next_states.insert(batch.next_states.end(), next, next + static_cast<std::ptrdiff_t>(size));
    batch.actions.push_back(stored.episode.actions[t]);
    batch.rewards.push_back(static_cast<float>(baseline_.advantage(stored.front, stored.budget, stored.reward)));
    batch.is_final.push_back(is_final ? 1.0F : 0.0F);
  }
  return batch;
}

}  // namespace lathe::search

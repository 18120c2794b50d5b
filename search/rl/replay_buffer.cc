#include "search/rl/replay_buffer.h"

#include <algorithm>
#include <cmath>

#include "models/base/check.h"

namespace lathe::search {

void ReplayBuffer::add(LayerWalk::Episode episode, int front, double budget, double reward) {
  baseline_.add(front, budget, reward);
  episodes_.push_back({std::move(episode), front, budget, reward});
  for (int t = 0; alpha_ > 0 && t < length_; ++t) priorities_.append(largest_priority_);
}

Batch ReplayBuffer::sample(int count, Rng& rng, double beta) const {
  Batch batch;
  for (int i = 0; i < count; ++i) append(draw(i, count, rng), batch);
  if (alpha_ <= 0) return batch;
  const double mean = priorities_.total() / static_cast<double>(priorities_.size());
  for (const std::size_t i : batch.picked) batch.weights.push_back(static_cast<float>(std::pow(priorities_.at(i) / mean, -beta)));
  const float largest = *std::max_element(batch.weights.begin(), batch.weights.end());
  for (float& weight : batch.weights) weight /= largest;
  return batch;
}

void ReplayBuffer::prioritize(std::span<const std::size_t> picked, std::span<const float> errors) {
  if (alpha_ <= 0) return;
  LATHE_CHECK_EQ(picked.size(), errors.size());
  constexpr double kLeast = 1e-3;  // epsilon: what is known well is still seen now and then
  for (std::size_t i = 0; i < picked.size(); ++i) {
    const double priority = std::pow(std::abs(static_cast<double>(errors[i])) + kLeast, alpha_);
    priorities_.set(picked[i], priority);
    largest_priority_ = std::max(largest_priority_, priority);
  }
}

// The index-th of `count` draws.
std::size_t ReplayBuffer::draw(int index, int count, Rng& rng) const {
  if (alpha_ > 0) return priorities_.find((index + rng.uniform()) * priorities_.total() / count);
  const std::int64_t episode = rng.below(static_cast<std::int64_t>(episodes_.size()));
  return static_cast<std::size_t>(episode * length_ + rng.below(length_));
}

void ReplayBuffer::append(std::size_t transition, Batch& batch) const {
  const auto size = static_cast<std::size_t>(state_size_);
  const Stored& stored = episodes_[transition / static_cast<std::size_t>(length_)];
  const std::size_t t = transition % static_cast<std::size_t>(length_);
  const bool is_final = static_cast<int>(t) + 1 == length_;
  const auto state = stored.episode.states.begin() + static_cast<std::ptrdiff_t>(t * size);
  const auto next = is_final ? state : state + static_cast<std::ptrdiff_t>(size);
  batch.states.insert(batch.states.end(), state, state + static_cast<std::ptrdiff_t>(size));
  batch.next_states.insert(batch.next_states.end(), next, next + static_cast<std::ptrdiff_t>(size));
  batch.actions.push_back(stored.episode.actions[t]);
  batch.rewards.push_back(static_cast<float>(baseline_.advantage(stored.front, stored.budget, stored.reward)));
  batch.is_final.push_back(is_final ? 1.0F : 0.0F);
  batch.picked.push_back(transition);
}

}  // namespace lathe::search

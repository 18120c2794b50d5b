#include "search/rl/replay_buffer.h"

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

void ReplayBuffer::add(LayerWalk::Episode episode, int front, double budget, double reward) {
  if (averages_.size() <= static_cast<std::size_t>(front))
    averages_.resize(static_cast<std::size_t>(front) + 1, std::vector<Average>(kBins));
  Average& average = averages_[static_cast<std::size_t>(front)][bin_of(budget)];
  average.value = average.is_known ? (1 - kForget) * average.value + kForget * reward : reward;
  average.is_known = true;
  const auto n = static_cast<double>(episodes_.size() + 1);
  overall_ += (reward - overall_) / n;
  const double deviation = reward - overall_;
  spread_ += (deviation * deviation - spread_) / n;
  episodes_.push_back({std::move(episode), front, budget, reward});
}

// Linear between the centres of known neighbouring bins; else the nearest known one.
double ReplayBuffer::baseline(int front, double budget) const {
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

Batch ReplayBuffer::sample(int count, Rng& rng) const {
  const double scale = std::max(std::sqrt(spread_), 1e-9);
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
    batch.rewards.push_back(static_cast<float>((stored.reward - baseline(stored.front, stored.budget)) / scale));
    batch.is_final.push_back(is_final ? 1.0F : 0.0F);
  }
  return batch;
}

}  // namespace lathe::search

#include "hwmodels/activation_schedule.h"

#include <algorithm>

namespace lathe::hwmodels {
namespace {

// What is in memory while one operator runs.
struct Moment {
  std::vector<int> alive;   // values, ascending
  std::vector<int> shared;  // of these, results that lie where their input did; ascending
};

std::vector<Moment> all_moments(int op_count, const std::vector<policies::LiveValue>& lives) {
  std::vector<Moment> moments(static_cast<std::size_t>(op_count));
  for (int v = 0; v < static_cast<int>(lives.size()); ++v) {
    const policies::LiveValue& life = lives[static_cast<std::size_t>(v)];
    for (int op = std::max(life.first, 0); op <= std::min(life.last, op_count - 1); ++op)
      moments[static_cast<std::size_t>(op)].alive.push_back(v);
    if (life.reuses >= 0) moments[static_cast<std::size_t>(life.first)].shared.push_back(v);
  }
  return moments;
}

bool includes(const std::vector<int>& all, const std::vector<int>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

// Whether another moment holds all that moment i does. Of equal ones the first is kept. Lives are intervals, so a moment that does not hold
// it hides those behind it.
bool is_covered(const std::vector<Moment>& moments, int i) {
  const Moment& moment = moments[static_cast<std::size_t>(i)];
  for (const int step : {-1, 1}) {
    for (int j = i + step; j >= 0 && j < static_cast<int>(moments.size()); j += step) {
      const Moment& other = moments[static_cast<std::size_t>(j)];
      if (!includes(other.alive, moment.alive)) break;
      if (!includes(moment.shared, other.shared)) continue;
      if (j < i || other.alive != moment.alive || other.shared != moment.shared) return true;
    }
  }
  return false;
}

}  // namespace

ActivationSchedule::ActivationSchedule(int op_count, const std::vector<policies::LiveValue>& lives) : matters_(lives.size(), false) {
  const std::vector<Moment> moments = all_moments(op_count, lives);
  // before[op]: moments kept among the operators before it.
  std::vector<std::uint32_t> before{0};
  for (int op = 0; op < op_count; ++op) before.push_back(before.back() + (is_covered(moments, op) ? 0 : 1));
  moments_ = static_cast<int>(before.back());
  for (std::size_t v = 0; v < lives.size(); ++v) {
    const auto first = static_cast<std::size_t>(std::clamp(lives[v].first, 0, op_count));
    const auto end = static_cast<std::size_t>(std::clamp(lives[v].last + 1, static_cast<int>(first), op_count));
    if (before[first] == before[end]) continue;
    matters_[v] = true;
    lives_.push_back({static_cast<std::uint32_t>(v), before[first], before[end]});
    const bool is_first_kept = before[first + 1] > before[first];
    if (lives[v].reuses >= 0 && is_first_kept)
      sharings_.push_back({static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(lives[v].reuses), before[first]});
  }
}

std::int64_t ActivationSchedule::peak_bytes(const std::int64_t* bytes, std::int64_t* change) const {
  std::fill_n(change, moments_ + 1, 0);
  for (const Life& life : lives_) {
    change[life.first] += bytes[life.value];
    change[life.end] -= bytes[life.value];
  }
  for (const Sharing& sharing : sharings_) {
    const std::int64_t shared = std::min(bytes[sharing.value], bytes[sharing.reused]);
    change[sharing.moment] -= shared;
    change[sharing.moment + 1] += shared;
  }
  std::int64_t alive = 0, peak = 0;
  for (int moment = 0; moment < moments_; ++moment) peak = std::max(peak, alive += change[moment]);
  return peak;
}

}  // namespace lathe::hwmodels

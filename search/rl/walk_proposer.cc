#include "search/rl/walk_proposer.h"

#include <algorithm>

#include "search/constraints.h"
#include "search/initial_design.h"

namespace lathe::search {
namespace {

// Index in base 2 mirrored at the point: 1/2, 1/4, 3/4, 1/8, ... so that budgets cover their range at every moment.
double van_der_corput(std::uint64_t index) {
  double value = 0, weight = 0.5;
  for (++index; index > 0; index >>= 1, weight /= 2) value += weight * static_cast<double>(index & 1);
  return value;
}

}  // namespace

WalkProposer::WalkProposer(const Problem& problem, const LayerWalk& walk, int initial, const std::string& stream, std::uint64_t seed)
    : problem_(problem),
      walk_(walk),
      rng_(seed, stream + "/proposals"),
      stream_(problem, Rng(seed, stream + "/initial")),
      design_(initial_candidates(problem)),
      initial_(static_cast<std::size_t>(initial_trials(problem, design_.size(), initial))),
      is_taught_(initial == 0) {}

std::vector<policies::Candidate> WalkProposer::propose(int count, std::span<const policies::Candidate> pending, const Walker& walker,
                                                       const Taker& taker) {
  ProposalBatch batch(problem_, known_, count, pending);
  while (is_taught_ && walker && !batch.is_full() && next_design_ < design_.size()) {
    is_turn_of_design_ = !is_turn_of_design_;
    if (is_turn_of_design_) {
      batch.add(design_[next_design_++]);
    } else {
      walk(batch, batch.accepted().size() + 1, walker, taker);
    }
  }
  if (walker && known_count_ + pending.size() >= initial_) walk(batch, static_cast<std::size_t>(count), walker, taker);
  while (!batch.is_full() && next_design_ < design_.size()) batch.add(design_[next_design_++]);
  constexpr int kDraws = 50;  // for one proposal, before the batch stays short
  for (int draw = 0; draw < kDraws * count && !batch.is_full(); ++draw) {
    if (const auto candidate = next_drawn()) batch.add(*candidate);
  }
  return batch.accepted();
}

void WalkProposer::learn(std::span<const Trial> finished) {
  known_.learn(finished);
  known_count_ += finished.size();
}

void WalkProposer::walk(ProposalBatch& batch, std::size_t wanted, const Walker& walker, const Taker& taker) {
  constexpr int kTries = 8;  // walks for one proposal that is new
  const int count = static_cast<int>(wanted - batch.accepted().size());
  for (int attempt = 0; attempt < kTries * count && batch.accepted().size() < wanted && !batch.is_full(); ++attempt) {
    const int front = static_cast<int>(walks_ % problem_.fronts.size());
    const LayerWalk::Range range = walk_.budget_range(front);
    const double budget = range.low + (range.high - range.low) * van_der_corput(walks_ / problem_.fronts.size());
    ++walks_;
    const policies::Candidate walked = walker(front, budget, attempt / count);
    const auto candidate = repaired(problem_, &problem_.fronts[static_cast<std::size_t>(front)], walked, rng_);
    if (candidate && batch.add(*candidate)) taker(*candidate);
  }
}

// Without any knowledge: candidates of every strength; where one budget is all that a front asks for, walks of random actions that keep it,
// as AMC begins.
std::optional<policies::Candidate> WalkProposer::next_drawn() {
  const auto front = static_cast<std::size_t>(draws_++ % std::max<std::size_t>(problem_.fronts.size(), 1));
  const LayerWalk::Range range = problem_.fronts.empty() ? LayerWalk::Range{} : walk_.budget_range(static_cast<int>(front));
  if (!range.is_point() || range.high >= 1) return stream_.next();
  const policies::Candidate walked =
      walk_.walk(static_cast<int>(front), range.high, [this](std::span<const float>) { return rng_.uniform(); });
  return repaired(problem_, &problem_.fronts[front], walked, rng_);
}

}  // namespace lathe::search

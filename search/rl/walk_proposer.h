// What an agent that walks the layers proposes: a design first, then its actor's walks, under budgets all over each front.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/base/rng.h"
#include "search/problem.h"
#include "search/proposal_batch.h"
#include "search/quasi_random/quasi_random.h"
#include "search/rl/layer_walk.h"
#include "search/trial.h"

namespace lathe::search {

class WalkProposer {
 public:
  // initial: trials of any agent before the actor walks; 0 = it has learned elsewhere, and takes turns with the design from the start.
  // stream: of the random numbers, a kind and a name. References must outlive it.
  WalkProposer(const Problem& problem, const LayerWalk& walk, int initial, const std::string& stream, std::uint64_t seed);

  // The actor's walk for a front under a budget. repeats: how often a walk for the same proposal led to what is known already.
  using Walker = std::function<policies::Candidate(int front, double budget, int repeats)>;
  // The last walk is proposed, as this candidate (where limits beside the budget forbid where it led to, one that they allow).
  using Taker = std::function<void(const policies::Candidate& candidate)>;
  // As Agent::ask. walker: empty while the actor knows nothing.
  std::vector<policies::Candidate> propose(int count, std::span<const policies::Candidate> pending, const Walker& walker,
                                           const Taker& taker = [](const policies::Candidate&) {});
  void learn(std::span<const Trial> finished);

  // Trials that were learned.
  std::size_t known() const { return known_count_; }

 private:
  // Until the batch holds `wanted` proposals, or walks lead to nothing new.
  void walk(ProposalBatch& batch, std::size_t wanted, const Walker& walker, const Taker& taker);
  std::optional<policies::Candidate> next_drawn();

  const Problem& problem_;
  const LayerWalk& walk_;
  Rng rng_;
  CandidateStream stream_;
  KnownCandidates known_;
  std::size_t known_count_ = 0;
  std::vector<policies::Candidate> design_;
  std::size_t next_design_ = 0, initial_;
  bool is_taught_, is_turn_of_design_ = false;
  std::uint64_t walks_ = 0, draws_ = 0;
};

}  // namespace lathe::search

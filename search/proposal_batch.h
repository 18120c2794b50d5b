// What every agent needs while it proposes: candidates that are legal, worth a measurement, not known and not pending.
#pragma once

#include <set>
#include <span>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

// The candidates that an agent was told of.
class KnownCandidates {
 public:
  void learn(std::span<const Trial> finished);
  bool contains(const policies::Candidate& candidate) const { return known_.contains(candidate); }

 private:
  std::set<policies::Candidate> known_;
};

// The proposals of one ask.
class ProposalBatch {
 public:
  // All references must outlive the batch.
  ProposalBatch(const Problem& problem, const KnownCandidates& known, int count, std::span<const policies::Candidate> pending);

  bool is_full() const { return accepted_.size() >= count_; }
  // Not known, not pending, not in the batch yet; here and below by its canonical form (policies::canonical).
  bool is_new(const policies::Candidate& proposed) const;
  // Takes it if it is new and some front's limits allow it; says whether it did. Full batches take nothing.
  bool add(const policies::Candidate& proposed);
  const std::vector<policies::Candidate>& accepted() const { return accepted_; }

 private:
  const Problem& problem_;
  const KnownCandidates& known_;
  std::size_t count_;
  std::set<policies::Candidate> pending_;
  std::vector<policies::Candidate> accepted_;
};

}  // namespace lathe::search

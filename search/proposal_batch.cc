#include "search/proposal_batch.h"

#include <algorithm>

#include "search/constraints.h"

namespace lathe::search {

void KnownCandidates::learn(std::span<const Trial> finished) {
  for (const Trial& trial : finished) known_.insert(trial.candidate);
}

ProposalBatch::ProposalBatch(const Problem& problem, const KnownCandidates& known, int count, std::span<const policies::Candidate> pending)
    : problem_(problem), known_(known), count_(static_cast<std::size_t>(std::max(count, 0))), pending_(pending.begin(), pending.end()) {}

bool ProposalBatch::is_new(const policies::Candidate& proposed) const {
  const policies::Candidate candidate = policies::canonical(problem_.space, proposed);
  return !known_.contains(candidate) && !pending_.contains(candidate);
}

bool ProposalBatch::add(const policies::Candidate& proposed) {
  if (is_full() || !is_new(proposed)) return false;
  const policies::Candidate candidate = policies::canonical(problem_.space, proposed);
  if (least_violation(problem_, score_exactly(problem_, candidate)) > 0) return false;
  pending_.insert(candidate);
  accepted_.push_back(candidate);
  return true;
}

}  // namespace lathe::search

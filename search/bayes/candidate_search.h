// Maximizes the acquisition function over candidates: discrete all the way, with the exact metrics of each.
#pragma once

#include <optional>
#include <vector>

#include "models/base/rng.h"
#include "search/bayes/front_acquisition.h"
#include "search/bayes/trust_regions.h"
#include "search/proposal_batch.h"
#include "search/quasi_random/quasi_random.h"

namespace lathe::search {

struct CandidateSearchOptions {
  int pool = 150;       // mutants, crossings and space-filling candidates that are scored first
  int starts = 4;       // the best of them from which a local search goes up
  int steps = 8;        // of each
  int neighbours = 40;  // one-decision changes that a step looks at
};

// Options with as many steps and neighbours as so many decisions ask for, where the given ones are fewer: with 168, and 300 trials of the
// made-up network, the front gained 1.8 % from three times the steps and 2.5 times the neighbours; with 36 nothing.
CandidateSearchOptions widened(CandidateSearchOptions options, std::size_t decisions);

// One acquisition function at one moment. All references must outlive it.
class CandidateSearch {
 public:
  // box: null where candidates may lie anywhere; those that `best` is given are taken wherever they lie.
  CandidateSearch(const Problem& problem, const FrontAcquisition& acquisition, const ProposalBatch& batch,
                  const CandidateSearchOptions& options, const TrustBox* box = nullptr);

  // The best new candidate found; nothing where none promises a gain. rows: candidates of the posteriors' rows; also: candidates that join
  // the pool.
  std::optional<policies::Candidate> best(const std::vector<policies::Candidate>& rows, const std::vector<policies::Candidate>& also,
                                          CandidateStream& stream, Rng& rng) const;

  // log of the acquisition function; -inf for candidates that are not new or not allowed.
  std::vector<double> scores(const std::vector<policies::Candidate>& candidates) const;

 private:
  struct Change {
    int decision, value;
  };
  std::vector<double> neighbour_scores(const policies::Candidate& base, const std::vector<Change>& changes) const;
  // `fill_cross(posterior, chosen, cross)` writes the covariances (rows x candidates) of those candidates of `candidates` that may be
  // proposed; chosen: their indices.
  template <typename FillCross>
  std::vector<double> scores_of(const std::vector<policies::Candidate>& candidates, const FillCross& fill_cross) const;
  std::vector<policies::Candidate> pool(const std::vector<policies::Candidate>& rows, CandidateStream& stream, Rng& rng) const;
  std::vector<policies::Candidate> pool_in_box(const std::vector<policies::Candidate>& rows, Rng& rng) const;
  void scatter(policies::Candidate& candidate, Rng& rng) const;
  void mutate(policies::Candidate& candidate, Rng& rng) const;
  const policies::Candidate& elite(const std::vector<policies::Candidate>& rows, Rng& rng) const;
  void climb(policies::Candidate& candidate, double& value, Rng& rng) const;
  Change random_change(const policies::Candidate& candidate, Rng& rng) const;

  const Problem& problem_;
  const FrontAcquisition& acquisition_;
  const ProposalBatch& batch_;
  CandidateSearchOptions options_;
  const TrustBox* box_;
  std::vector<int> movable_;  // decisions with more than one value
};

}  // namespace lathe::search

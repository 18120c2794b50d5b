// Space-filling proposals without learning: the yardstick for the other agents, their initial design and the controller's fall-back.
#pragma once

#include <memory>
#include <optional>

#include "search/agent.h"
#include "search/proposal_batch.h"
#include "search/quasi_random/halton.h"

namespace lathe::search {

// An endless stream of candidates from a scrambled Halton sequence. Independent uniform decisions would all give networks of nearly the
// same latency when there are many (their mean concentrates), so the first coordinates choose how strongly channels, weight bits,
// activation bits and kept weights are compressed on the whole (mean level t in [0.1, 0.95]), and a decision's own coordinate u is bent to
// that level: u^((1 - t) / t), whose mean is t. A space without layers is no network: its decisions are drawn evenly.
class CandidateStream {
 public:
  CandidateStream(const Problem& problem, Rng rng);
  // The next of them, repaired where limits forbid it; nothing if that fails.
  std::optional<policies::Candidate> next();

 private:
  const Problem& problem_;
  std::vector<int> level_of_kind_;  // the coordinate of a point by policies::DecisionKind
  int levels_;                      // coordinates before those of the decisions
  ScrambledHalton halton_;
  Rng repair_;
  std::uint64_t index_ = 0;
};

const AgentKind& quasi_random_kind();
std::unique_ptr<Agent> make_quasi_random(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search

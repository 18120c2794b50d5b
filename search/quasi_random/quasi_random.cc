#include "search/quasi_random/quasi_random.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "search/agent_options.h"
#include "search/constraints.h"
#include "search/initial_design.h"

namespace lathe::search {
namespace {

// Kinds of decisions that every network has. Each has a coordinate; a later kind has its own where it is decided at all, so that other
// spaces are drawn from as if there were none.
constexpr int kFirstKinds = 3;

std::vector<int> levels_of(const policies::SearchSpace& space) {
  std::vector<int> level_of_kind;
  int levels = kFirstKinds;
  for (int kind = 0; kind < static_cast<int>(std::size(policies::kDecisionKinds)); ++kind) {
    const bool is_decided = std::any_of(space.decisions.begin(), space.decisions.end(),
                                        [&](const policies::Decision& d) { return static_cast<int>(d.kind) == kind; });
    level_of_kind.push_back(kind < kFirstKinds ? kind : is_decided ? levels++ : -1);
  }
  return level_of_kind;
}

class QuasiRandom final : public Agent {
 public:
  QuasiRandom(const AgentOptions& options, const Problem& problem, std::uint64_t seed)
      : problem_(problem), stream_(problem, Rng(seed, "quasi_random/" + options.name)) {
    if (option(options, quasi_random_kind(), "uniform") != 0) design_ = initial_candidates(problem);
  }

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    ProposalBatch batch(problem_, known_, count, pending);
    while (!batch.is_full() && next_design_ < design_.size()) batch.add(design_[next_design_++]);
    constexpr int kDraws = 50;  // for one proposal; more repeats than this mean that the space is nearly used up
    for (int draw = 0; draw < kDraws * count && !batch.is_full(); ++draw) {
      if (const auto candidate = stream_.next()) batch.add(*candidate);
    }
    return batch.accepted();
  }

  void tell(std::span<const Trial> finished) override { known_.learn(finished); }

 private:
  const Problem& problem_;
  CandidateStream stream_;
  KnownCandidates known_;
  std::vector<policies::Candidate> design_;
  std::size_t next_design_ = 0;
};

}  // namespace

CandidateStream::CandidateStream(const Problem& problem, Rng rng)
    : problem_(problem),
      level_of_kind_(levels_of(problem.space)),
      levels_(std::max(kFirstKinds, 1 + *std::max_element(level_of_kind_.begin(), level_of_kind_.end()))),
      halton_(levels_ + static_cast<int>(problem.space.decisions.size()), rng),
      repair_(rng(), "repair") {}

std::optional<policies::Candidate> CandidateStream::next() {
  const std::vector<double> u = halton_.point(index_++);
  const bool is_network = !problem_.space.layers.empty();
  policies::Candidate candidate;
  for (std::size_t d = 0; d < problem_.space.decisions.size(); ++d) {
    const policies::Decision& decision = problem_.space.decisions[d];
    const int of_kind = level_of_kind_[static_cast<std::size_t>(decision.kind)];
    const double level = 0.1 + 0.85 * u[static_cast<std::size_t>(of_kind)];
    const double fraction = is_network ? std::pow(u[static_cast<std::size_t>(levels_) + d], (1 - level) / level) : u[d];
    const int values = static_cast<int>(decision.values.size());
    candidate.choices.push_back(std::clamp(static_cast<int>(fraction * values), 0, values - 1));
  }
  return repaired(problem_, nullptr, candidate, repair_);
}

const AgentKind& quasi_random_kind() {
  static const AgentKind kKind{"quasi_random",
                               "scrambled Halton points, after uniform policies; learns nothing",
                               {{"uniform", 1, "1: begin with uniform policies, the uncompressed one first; 0: do not"}}};
  return kKind;
}

std::unique_ptr<Agent> make_quasi_random(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return std::make_unique<QuasiRandom>(options, problem, seed);
}

}  // namespace lathe::search

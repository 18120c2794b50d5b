#include "search/bayes/bayes.h"

#include <algorithm>

#include "search/agent_options.h"
#include "search/bayes/candidate_search.h"
#include "search/bayes/front_acquisition.h"
#include "search/bayes/trust_regions.h"
#include "search/initial_design.h"
#include "search/sensitivity_path.h"

namespace lathe::search {
namespace {

bool has_prior(const AgentOptions& options) {
  return option(options, bayes_kind(), "prior") != 0;
}

int initial_of(const AgentOptions& options, const Problem& problem, std::size_t design_size) {
  const int wanted = static_cast<int>(option(options, bayes_kind(), "initial"));
  return has_prior(options) ? initial_trials(problem, design_size, wanted) : wanted;
}

int trust_regions_of(const AgentOptions& options, const Problem& problem) {
  const int wanted = static_cast<int>(option(options, bayes_kind(), "trust_regions"));
  constexpr std::size_t kManyDecisions = 80;
  const bool is_large_network = !problem.space.layers.empty() && problem.space.decisions.size() >= kManyDecisions;
  return wanted >= 0 ? wanted : is_large_network ? TrustRegionOptions{}.regions : 0;
}

class Bayes final : public Agent {
 public:
  Bayes(const AgentOptions& options, const Problem& problem, std::uint64_t seed)
      : problem_(problem),
        seed_(seed),
        purpose_("bayes/" + options.name),
        stream_(problem, Rng(seed, "bayes_initial/" + options.name)),
        design_(has_prior(options) ? initial_candidates(problem) : uniform_candidates(problem)),
        initial_(static_cast<std::size_t>(initial_of(options, problem, design_.size()))),
        search_(widened({.pool = static_cast<int>(option(options, bayes_kind(), "pool")),
                         .starts = static_cast<int>(option(options, bayes_kind(), "starts"))},
                        problem.space.decisions.size())) {
    // Warping has three parameters a decision where lengths alone have one: with as few iterations some fits of ZDT3 stayed far off.
    const bool is_warped = option(options, bayes_kind(), "warp") != 0;
    const int iterations = static_cast<int>(option(options, bayes_kind(), "fit_iterations"));
    const SurrogateOptions surrogate{.fit_iterations = is_warped ? 3 * iterations : iterations,
                                     .refit_growth = option(options, bayes_kind(), "refit_growth"),
                                     .has_transform = option(options, bayes_kind(), "transform") != 0,
                                     .has_prior = has_prior(options),
                                     .has_logit_beliefs = option(options, bayes_kind(), "logit_front") != 0,
                                     .is_warped = is_warped};
    for (const int metric : measured_metrics(problem)) surrogates_.emplace_back(problem, metric, surrogate);
    if (const int regions = trust_regions_of(options, problem); regions > 0) {
      for (const Front& front : problem.fronts) trust_.emplace_back(problem, front, TrustRegionOptions{.regions = regions});
    }
    constexpr int kOnPath = 64;
    for (const Front& front : problem.fronts) {
      paths_.push_back(has_prior(options) ? sensitivity_path(problem, front, kOnPath) : std::vector<policies::Candidate>{});
    }
  }

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    Rng rng(seed_, purpose_, asks_++);
    ProposalBatch batch(problem_, known_, count, pending);
    const auto has_posterior = [](const Surrogate& surrogate) { return surrogate.posterior().has_value(); };
    if (!surrogates_.empty() && surrogates_.front().size() + pending.size() >= initial_ && !problem_.fronts.empty() &&
        std::all_of(surrogates_.begin(), surrogates_.end(), has_posterior)) {
      propose_by_model(batch, pending, rng);
    }
    fill(batch, count);
    return batch.accepted();
  }

  void tell(std::span<const Trial> finished) override {
    known_.learn(finished);
    for (Surrogate& surrogate : surrogates_) surrogate.learn(finished);
    for (TrustRegions& regions : trust_) regions.learn(finished);
  }

 private:
  // One candidate after the other, the fronts in turn; each is believed before the next is chosen.
  void propose_by_model(ProposalBatch& batch, std::span<const policies::Candidate> pending, Rng& rng) {
    std::vector<Posterior> posteriors;
    for (const Surrogate& surrogate : surrogates_) posteriors.push_back(*surrogate.posterior());
    std::vector<policies::Candidate> rows = surrogates_.front().candidates();
    const auto believe = [&](const policies::Candidate& candidate) {
      for (Posterior& posterior : posteriors) posterior.believe(candidate);
      rows.push_back(candidate);
    };
    for (const policies::Candidate& candidate : pending) believe(candidate);
    std::size_t misses = 0;
    while (!batch.is_full() && misses < problem_.fronts.size()) {
      const std::size_t f = turn_ % problem_.fronts.size(), round = turn_++ / problem_.fronts.size();
      TrustRegions* const trust = !trust_.empty() && trust_[f].has_boxes() ? &trust_[f] : nullptr;
      const int region = trust != nullptr ? static_cast<int>(round % static_cast<std::size_t>(trust->size())) : 0;
      const std::optional<TrustBox> box = trust != nullptr ? std::optional(trust->box(region, mean_log_lengths())) : std::nullopt;
      const FrontAcquisition acquisition(problem_, problem_.fronts[f], posteriors);
      const CandidateSearch search(problem_, acquisition, batch, search_, box ? &*box : nullptr);
      const std::optional<policies::Candidate> best = search.best(rows, paths_[f], stream_, rng);
      if (!best || !batch.add(*best)) {
        ++misses;
        continue;
      }
      misses = 0;
      const policies::Candidate proposed = batch.accepted().back();  // as it will be told: decisions inside a removed block mean nothing
      if (trust != nullptr) trust->note(region, proposed);
      believe(proposed);
    }
  }

  Eigen::VectorXd mean_log_lengths() const {
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(problem_.space.decisions.size()));
    for (const Surrogate& surrogate : surrogates_) sum += surrogate.log_lengths();
    return sum / static_cast<double>(surrogates_.size());
  }

  // The initial design, and whatever the model has no use for.
  void fill(ProposalBatch& batch, int count) {
    while (!batch.is_full() && next_design_ < design_.size()) batch.add(design_[next_design_++]);
    constexpr int kDraws = 50;  // for one proposal, before the batch stays short
    for (int draw = 0; draw < kDraws * count && !batch.is_full(); ++draw) {
      if (const auto candidate = stream_.next()) batch.add(*candidate);
    }
  }

  const Problem& problem_;
  std::uint64_t seed_;
  std::string purpose_;
  CandidateStream stream_;
  KnownCandidates known_;
  std::vector<policies::Candidate> design_;
  std::size_t next_design_ = 0, initial_, turn_ = 0;
  std::uint64_t asks_ = 0;
  std::vector<Surrogate> surrogates_;  // of the measured metrics
  CandidateSearchOptions search_;
  std::vector<TrustRegions> trust_;                      // of each front; empty where proposals may lie anywhere
  std::vector<std::vector<policies::Candidate>> paths_;  // of each front, by sensitivities
};

}  // namespace

const AgentKind& bayes_kind() {
  static const AgentKind kKind{
      "bayes",
      "Bayesian optimization: Gaussian process of accuracy, exact latency, expected hypervolume improvement",
      {{"initial", 16, "trials of any agent before the model proposes; uniform and quasi-random policies until then"},
       {"fit_iterations", 15, "L-BFGS iterations when hyperparameters are fitted again; three times as many with warp", 0, 1000},
       {"refit_growth", 0.15, "they are fitted again when the number of trials has grown by this share", 0, 10, false},
       {"transform", 1, "1: model the logit of accuracy; 0: accuracy itself", 0, 1},
       {"logit_front", 0, "1: expected hypervolume of the logit of accuracy, which pays for the last points near 100 %; 0: of accuracy", 0,
        1},
       {"warp", 0, "1: learn for each decision where on its range accuracy changes fastest (input warping); 0: as it is", 0, 1},
       {"prior", 1, "1: start from the layers' sensitivities where they are known; 0: ignore them", 0, 1},
       {"pool", 150, "candidates that are scored before the local search", 1, 100000},
       {"starts", 4, "local searches for each proposal", 1, 1000},
       {"trust_regions", -1,
        "boxes about members of each front, in which proposals lie in turn; 0: anywhere; -1: 5 for networks of 80 and more decisions, else "
        "0",
        -1, 1000}}};
  return kKind;
}

std::unique_ptr<Agent> make_bayes(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return std::make_unique<Bayes>(options, problem, seed);
}

}  // namespace lathe::search

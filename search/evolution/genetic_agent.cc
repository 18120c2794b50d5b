#include "search/evolution/genetic_agent.h"

#include <algorithm>
#include <cmath>

#include "search/agent_options.h"
#include "search/constraints.h"
#include "search/evolution/variation.h"
#include "search/initial_design.h"
#include "search/pareto.h"
#include "search/proposal_batch.h"
#include "search/quasi_random/quasi_random.h"

namespace lathe::search {
namespace {

// All limits of a front, measured ones included.
double total_violation(const Problem& problem, const Front& front, const Trial& trial) {
  ExactScore score{true, trial.metrics};
  double sum = violation(problem, front, score);
  const auto add = [&](int m) {
    const Metric& metric = problem.metrics[static_cast<std::size_t>(m)];
    const double value = trial.metrics[static_cast<std::size_t>(m)];
    if (metric.is_measured && !meets_limit(metric, value)) sum += std::abs(value - metric.limit) / std::max(std::abs(metric.limit), 1e-12);
  };
  for (const int m : front.metrics) add(m);
  for (const int m : front.limited) add(m);
  return sum;
}

// A small population converges fast, a large one covers a front: it grows with the trials. Chosen at 1,000 evaluations of ZDT, DTLZ2,
// welded beam and car side impact (bench/search_problems), where 16 to 20 members did well.
constexpr std::size_t kTrialsPerMember = 50;

// One population for each front, since what is good for one device may be poor for another; proposals go to the fronts in turn. A
// generation is what one ask returns, so that results are used as soon as they are known (steady state).
class GeneticAgent final : public Agent {
 public:
  GeneticAgent(const AgentKind& kind, const AgentOptions& options, Selection select, const Problem& problem, std::uint64_t seed)
      : problem_(problem),
        select_(select),
        rng_(seed, kind.kind + "/" + options.name),
        stream_(problem, Rng(seed, kind.kind + "_initial/" + options.name)),
        design_(initial_candidates(problem)),
        populations_(problem.fronts.size()),
        population_size_(static_cast<std::size_t>(option(options, kind, "population"))),
        initial_(initial_trials(problem, design_.size(), static_cast<int>(option(options, kind, "initial")))),
        crossover_(option(options, kind, "crossover")),
        mutations_(option(options, kind, "mutations")) {}

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    ProposalBatch batch(problem_, known_, count, pending);
    while (!batch.is_full() && proposed_ < initial_ && next_design_ < design_.size()) {
      if (batch.add(design_[next_design_++])) ++proposed_;
    }
    constexpr int kDraws = 50;  // for one proposal, before the batch stays short
    for (int draw = 0; draw < kDraws * count && !batch.is_full(); ++draw) {
      const std::size_t front = turn_ % std::max<std::size_t>(populations_.size(), 1);
      const bool is_initial = proposed_ < initial_ || populations_.empty() || populations_[front].size() < 2;
      const std::optional<policies::Candidate> candidate =
          is_initial ? stream_.next() : repaired(problem_, &problem_.fronts[front], offspring(populations_[front]), rng_);
      if (!candidate) ++turn_;  // limits that leave this front nothing
      if (!candidate || !batch.add(*candidate)) continue;
      ++proposed_;
      ++turn_;
    }
    return batch.accepted();
  }

  void tell(std::span<const Trial> finished) override {
    known_.learn(finished);
    told_ += finished.size();
    for (std::size_t f = 0; f < populations_.size(); ++f) {
      const Front& front = problem_.fronts[f];
      std::vector<Individual> pool = std::move(populations_[f]);
      for (const Trial& trial : finished) {
        if (trial.state != TrialState::kComplete) continue;
        Individual individual{trial.candidate, to_minimized(problem_, front, trial.metrics), total_violation(problem_, front, trial)};
        if (std::all_of(individual.objectives.begin(), individual.objectives.end(), [](double v) { return std::isfinite(v); })) {
          pool.push_back(std::move(individual));
        }
      }
      populations_[f] = select_(std::move(pool), std::max(population_size_, told_ / kTrialsPerMember), rng_);
    }
  }

 private:
  // Deb et al. 2002, section III.C: of two drawn at random the one of lower rank, then of larger crowding distance.
  const Individual& tournament(const std::vector<Individual>& population) {
    const auto draw = [&]() -> const Individual& {
      return population[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(population.size())))];
    };
    const Individual &a = draw(), &b = draw();
    if (a.rank != b.rank) return a.rank < b.rank ? a : b;
    return a.crowding >= b.crowding ? a : b;
  }

  policies::Candidate offspring(const std::vector<Individual>& population) {
    policies::Candidate child = tournament(population).candidate;
    if (rng_.uniform() < crossover_) child = mated(child, tournament(population).candidate);
    mutate(child);
    return child;
  }

  policies::Candidate mated(const policies::Candidate& a, const policies::Candidate& b) {
    policies::Candidate child = crossed(a, b, rng_);
    for (std::size_t d = 0; d < child.choices.size(); ++d) {
      const int values = static_cast<int>(problem_.space.decisions[d].values.size());
      if (is_fine(values)) child.choices[d] = sbx_choice(a.choices[d], b.choices[d], values, rng_);
    }
    return child;
  }

  // Each decision changes with probability mutations / decisions. One at least does where it is not fine: crossover of few values often
  // gives a child that is known already.
  void mutate(policies::Candidate& child) {
    std::vector<std::size_t> movable;
    for (std::size_t d = 0; d < child.choices.size(); ++d) {
      if (problem_.space.decisions[d].values.size() > 1) movable.push_back(d);
    }
    if (movable.empty()) return;
    const std::size_t certain = movable[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(movable.size())))];
    for (const std::size_t d : movable) {
      const int values = static_cast<int>(problem_.space.decisions[d].values.size());
      const bool is_certain = d == certain && !is_fine(values);
      if (!is_certain && rng_.uniform() * static_cast<double>(movable.size()) >= mutations_) continue;
      child.choices[d] = is_fine(values) ? polynomial_choice(child.choices[d], values, rng_) : moved_choice(child.choices[d], values, rng_);
    }
  }

  const Problem& problem_;
  Selection select_;
  Rng rng_;
  CandidateStream stream_;
  KnownCandidates known_;
  std::vector<policies::Candidate> design_;
  std::size_t next_design_ = 0;
  std::vector<std::vector<Individual>> populations_;  // by front
  std::size_t population_size_, told_ = 0;
  int initial_, proposed_ = 0;
  double crossover_, mutations_;
  std::size_t turn_ = 0;
};

}  // namespace

std::vector<AgentKind::Option> genetic_options() {
  return {{"population", 16, "members of each front's population", 2, 10000},
          {"initial", 20,
           "first proposals, best at least the population: uniform policies, then quasi-random ones; more where sensitivities are known"},
          {"crossover", 0.9, "share of proposals that have two parents", 0, 1, false},
          {"mutations", 1, "decisions that change in a proposal, on average", 0, 1e6, false}};
}

std::unique_ptr<Agent> make_genetic_agent(const AgentKind& kind, const AgentOptions& options, Selection select, const Problem& problem,
                                          std::uint64_t seed) {
  return std::make_unique<GeneticAgent>(kind, options, select, problem, seed);
}

}  // namespace lathe::search

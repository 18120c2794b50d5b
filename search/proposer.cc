#include "search/proposer.h"

#include <tbb/task_group.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "models/base/check.h"
#include "models/base/error.h"
#include "policies/candidate_index.h"

namespace lathe::search {
namespace {

constexpr int kExtraAsks = 2;                          // for an agent whose proposals were dropped
constexpr std::uint64_t kMostEnumerated = 1ULL << 17;  // spaces up to this size are walked to their last candidate: under a second
constexpr int kFallbackDraws = 2000;                   // of a larger space in a row without anything new: it counts as exhausted

// Names tell agents of one kind apart, in reports and in their random streams.
std::string unique_name(const AgentOptions& options, const std::set<std::string>& taken) {
  const std::string name = options.name.empty() ? options.kind : options.name;
  std::string unique = name;
  for (int i = 2; taken.contains(unique); ++i) unique = name + "-" + std::to_string(i);
  return unique;
}

bool is_in_space(const policies::SearchSpace& space, const policies::Candidate& candidate) {
  if (candidate.choices.size() != space.decisions.size()) return false;
  for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
    if (candidate.choices[d] < 0 || candidate.choices[d] >= static_cast<int>(space.decisions[d].values.size())) return false;
  }
  return true;
}

}  // namespace

Proposer::Proposer(const Problem& problem, const std::vector<AgentOptions>& agents, int round, Allocation allocation, std::uint64_t seed,
                   SharedTrials* shared)
    : problem_(problem), shared_(shared), fallback_(problem, Rng(seed, "fallback")) {
  if (agents.empty()) throw UserError(Fault{.key = "search.agents", .expected = "at least one agent"});
  std::set<std::string> names;
  std::vector<std::string> order;
  for (AgentOptions options : agents) {
    options.name = unique_name(options, names);
    names.insert(options.name);
    order.push_back(options.name);
    members_.push_back({options.name, make_agent(options, problem, seed)});
  }
  shares_.emplace(problem, std::move(order), allocation);
  round_ = round > 0 ? round : kPerAgent * static_cast<int>(members_.size());
  const std::uint64_t size = policies::space_size(problem.space);
  if (size <= kMostEnumerated) enumerable_ = size;
  walk_start_ = Rng(seed, "walk")();
}

bool Proposer::accept(const policies::Candidate& proposed, const std::string& agent, std::vector<Proposal>& round) {
  LATHE_CHECK(is_in_space(problem_.space, proposed)) << "agent " << agent << " proposed something that is not in the search space";
  const policies::Candidate candidate = policies::canonical(problem_.space, proposed);
  if (!seen_.insert(candidate).second) {
    ++duplicates_;
    return false;
  }
  ExactScore score = score_exactly(problem_, candidate);
  if (least_violation(problem_, score) > 0) {
    ++rejected_;
    return false;
  }
  const std::optional<std::int64_t> id = next_id(candidate, agent);
  if (!id) {
    ++duplicates_;
    return false;
  }
  round.push_back({.id = *id, .agent = agent, .candidate = candidate, .metrics = std::move(score.metrics)});
  return true;
}

std::optional<std::int64_t> Proposer::next_id(const policies::Candidate& candidate, const std::string& agent) {
  return shared_ == nullptr ? next_id_++ : shared_->claim(candidate, agent);
}

void Proposer::take_over(int most, std::vector<Proposal>& round) {
  for (const SharedTrials::Claimed& claimed : shared_->take_over(most)) {
    if (!is_in_space(problem_.space, claimed.candidate))
      throw std::runtime_error("shared trial " + std::to_string(claimed.id) + " is a policy of another search space");
    seen_.insert(claimed.candidate);
    round.push_back({.id = claimed.id,
                     .agent = claimed.agent,
                     .candidate = claimed.candidate,
                     .metrics = score_exactly(problem_, claimed.candidate).metrics});
  }
}

void Proposer::adopt(std::span<const Trial> known) {
  for (const Trial& trial : known) {
    seen_.insert(trial.candidate);
    next_id_ = std::max(next_id_, trial.id + 1);
  }
  for (Member& member : members_) member.agent->tell(known);
  shares_->learn(known);
}

std::map<std::string, std::string> Proposer::learned() const {
  std::map<std::string, std::string> learned;
  for (const Member& member : members_) {
    if (std::string own = member.agent->learned(); !own.empty()) learned[member.name] = std::move(own);
  }
  return learned;
}

std::vector<Proposal> Proposer::next_round(std::span<const Trial> finished, std::span<const Proposal> pending, int most) {
  const int total = std::min(round_, most);
  std::vector<Proposal> round;
  if (shared_ != nullptr) take_over(total, round);
  shares_->learn(finished);
  const std::vector<int> share = shares_->next(total - static_cast<int>(round.size()));
  for (const Trial& trial : finished) seen_.insert(trial.candidate);
  std::vector<policies::Candidate> in_flight;
  for (const auto& proposals : {pending, std::span<const Proposal>(round)})
    for (const Proposal& proposal : proposals) in_flight.push_back(proposal.candidate);

  // Agents share nothing, so they learn and think at the same time.
  std::vector<std::vector<policies::Candidate>> asked(members_.size());
  tbb::task_group group;
  for (std::size_t a = 0; a < members_.size(); ++a) {
    group.run([&, a] {
      members_[a].agent->tell(finished);
      if (share[a] > 0) asked[a] = members_[a].agent->ask(share[a], in_flight);
    });
  }
  group.wait();

  // In the order of the config: of two that propose the same the first one gets the trial.
  // All agents begin with the same design, so the last one may have to skip what each of the others took.
  const int extra_asks = std::max(2, static_cast<int>(members_.size()));
  for (std::size_t a = 0; a < members_.size(); ++a) {
    int missing = share[a];
    for (int attempt = 0; missing > 0; ++attempt) {
      for (const policies::Candidate& candidate : asked[a]) {
        if (missing > 0 && accept(candidate, members_[a].name, round)) {
          in_flight.push_back(candidate);
          --missing;
        }
      }
      if (missing == 0 || attempt == extra_asks) break;
      asked[a] = members_[a].agent->ask(missing, in_flight);
      if (asked[a].empty()) break;
    }
  }
  fill(static_cast<std::size_t>(total), round);
  return round;
}

// What agents leave free goes to quasi-random candidates, which are named so.
void Proposer::fill(std::size_t wanted, std::vector<Proposal>& round) {
  while (round.size() < wanted) {
    const std::optional<policies::Candidate> candidate = next_unseen();
    if (!candidate) return;
    accept(*candidate, quasi_random_kind().kind, round);
  }
}

std::optional<policies::Candidate> Proposer::next_unseen() {
  if (enumerable_ > 0) {
    // An odd stride that is coprime to the size visits each candidate once, in an order without a pattern that matters here.
    std::uint64_t stride = enumerable_ * 5 / 8 | 1;
    while (std::gcd(stride, enumerable_) != 1) stride += 2;
    while (walked_ < enumerable_) {
      const std::uint64_t code = (walk_start_ % enumerable_ + walked_++ * stride) % enumerable_;
      policies::Candidate candidate = policies::canonical(problem_.space, policies::candidate_at(problem_.space, code));
      if (!seen_.contains(candidate)) return candidate;
    }
    return std::nullopt;
  }
  for (int draw = 0; draw < kFallbackDraws; ++draw) {
    std::optional<policies::Candidate> candidate = fallback_.next();
    if (candidate) candidate = policies::canonical(problem_.space, *std::move(candidate));
    if (candidate && !seen_.contains(*candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace lathe::search

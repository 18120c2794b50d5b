// The agents of a search and the bookkeeping of what they proposed: shares, repeats, rejections, exhaustion. Serial to its caller; runs the
// agents' own work in parallel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "search/agent.h"
#include "search/constraints.h"
#include "search/problem.h"
#include "search/quasi_random/quasi_random.h"
#include "search/round_shares.h"
#include "search/shared_trials.h"
#include "search/trial.h"

namespace lathe::search {

// A candidate that is to be measured: its trial but for the measured metrics.
using Proposal = Trial;

class Proposer {
 public:
  static constexpr int kPerAgent = 4;  // proposals a round for each agent unless the options say otherwise

  // `problem` must outlive it. round: proposals a round over all agents; 0 = 4 for each. shared: null where trials are shared with no other
  // search; else every proposal is claimed there first.
  Proposer(const Problem& problem, const std::vector<AgentOptions>& agents, int round, Allocation allocation, std::uint64_t seed,
           SharedTrials* shared = nullptr);

  // Tells all agents what finished and asks them for the next round, at most `most` proposals. `pending`: the round being measured.
  // Call inside the task arena that is to be used. Ids go on from where the last round ended, or are those
  // of the shared trials. Empty when nothing new is left.
  std::vector<Proposal> next_round(std::span<const Trial> finished, std::span<const Proposal> pending, int most);

  // Takes the trials of an earlier run as told and seen. Before the first round.
  void adopt(std::span<const Trial> known);

  // As SearchResult::learned.
  std::map<std::string, std::string> learned() const;

  std::int64_t duplicates() const { return duplicates_; }
  std::int64_t rejected() const { return rejected_; }

 private:
  struct Member {
    std::string name;
    std::unique_ptr<Agent> agent;
  };
  // Accepts the candidate, in its canonical form, as the next proposal, or counts why not.
  bool accept(const policies::Candidate& proposed, const std::string& agent, std::vector<Proposal>& round);
  // The id of an accepted candidate's trial; nothing where another search has the candidate.
  std::optional<std::int64_t> next_id(const policies::Candidate& candidate, const std::string& agent);
  // What searches that have gone left unfinished.
  void take_over(int most, std::vector<Proposal>& round);
  void fill(std::size_t wanted, std::vector<Proposal>& round);
  std::optional<policies::Candidate> next_unseen();

  const Problem& problem_;
  SharedTrials* const shared_;
  std::vector<Member> members_;
  int round_;
  std::optional<RoundShares> shares_;  // known once the agents have their names
  std::int64_t next_id_ = 0, duplicates_ = 0, rejected_ = 0;
  std::set<policies::Candidate> seen_;  // all proposals, accepted or rejected, and what other searches measured
  CandidateStream fallback_;
  std::uint64_t enumerable_ = 0;  // size of the space if it is small enough to be walked, else 0
  std::uint64_t walked_ = 0, walk_start_ = 0;
};

}  // namespace lathe::search

// What every agent has to keep, run on each registered kind.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "models/base/error.h"
#include "search/agent.h"
#include "search/constraints.h"
#include "search/controller.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

bool is_in(const policies::SearchSpace& space, const Candidate& candidate) {
  if (candidate.choices.size() != space.decisions.size()) return false;
  for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
    if (candidate.choices[d] < 0 || candidate.choices[d] >= static_cast<int>(space.decisions[d].values.size())) return false;
  }
  return true;
}

class AgentConformance : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Agent> make(const Problem& problem, std::uint64_t seed = 1) const {
    return make_agent({GetParam(), "", {}}, problem, seed);
  }

  static Trial measure(const StandardProblem& made, std::int64_t id, const Candidate& candidate, bool fails = false) {
    Trial trial{.id = id, .agent = "test", .candidate = candidate};
    trial.metrics = score_exactly(made.problem, candidate).metrics;
    if (fails) {
      trial.state = TrialState::kFailed;
      trial.error = "made to fail";
      return trial;
    }
    std::vector<double> measured{made.measured(candidate)};
    if (made.further) {
      for (const double value : made.further(candidate)) measured.push_back(value);
    }
    std::size_t next = 0;
    for (std::size_t m = 0; m < trial.metrics.size(); ++m) {
      if (made.problem.metrics[m].is_measured) trial.metrics[m] = measured[next++];
    }
    trial.stddev = made.stddev;
    return trial;
  }

  // Rounds of ask and tell with a lag of one round, as the controller has it; checks each proposal. `every_nth_fails`: 0 = none.
  static std::vector<Candidate> drive(const StandardProblem& made, Agent& agent, int rounds, int count, int every_nth_fails = 0) {
    std::vector<Candidate> all;
    std::set<Candidate> seen;
    std::vector<Trial> untold;
    std::vector<Candidate> pending;
    for (int r = 0; r < rounds; ++r) {
      agent.tell(untold);
      const std::vector<Candidate> asked = agent.ask(count, pending);
      EXPECT_LE(static_cast<int>(asked.size()), count);
      untold.clear();
      for (const Candidate& candidate : pending) {
        const auto id = static_cast<std::int64_t>(all.size() - pending.size() + untold.size());
        untold.push_back(measure(made, id, candidate, every_nth_fails > 0 && id % every_nth_fails == 0));
      }
      for (const Candidate& candidate : asked) {
        EXPECT_TRUE(is_in(made.problem.space, candidate));
        EXPECT_TRUE(seen.insert(candidate).second) << "proposed twice";
        EXPECT_EQ(least_violation(made.problem, score_exactly(made.problem, candidate)), 0);
        all.push_back(candidate);
      }
      pending = asked;
    }
    return all;
  }
};

TEST_P(AgentConformance, ProposesWhatIsLegalAndNew) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const auto agent = make(made.problem);
  EXPECT_EQ(drive(made, *agent, 15, 4).size(), 60U);
}

TEST_P(AgentConformance, IsDeterministicForASeed) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const auto first = drive(made, *make(made.problem, 7), 12, 4);
  EXPECT_EQ(first, drive(made, *make(made.problem, 7), 12, 4));
  EXPECT_NE(first, drive(made, *make(made.problem, 8), 12, 4));
}

std::vector<Trial> searched(const std::string& kind, const StandardProblem& made, int threads) {
  ControllerCallbacks callbacks;
  callbacks.measure = [&](const Candidate& candidate) {
    Measurement measurement{.value = made.measured(candidate), .stddev = made.stddev};
    if (made.further) measurement.further = made.further(candidate);
    return measurement;
  };
  return run_search(made.problem, {{kind, "", {}}, {kind, "second", {}}}, {.trials = 48, .threads = threads, .seed = 5}, callbacks).trials;
}

TEST_P(AgentConformance, ProposesTheSameOnOneAndTwoThreads) {
  const StandardProblem network = make_network_problem({.layers = 5, .devices = 2, .has_sensitivity = true});
  const StandardProblem function = make_standard_problem("welded_beam", {});
  for (const StandardProblem* made : {&network, &function}) {
    const std::vector<Trial> one = searched(GetParam(), *made, 1), two = searched(GetParam(), *made, 2);
    ASSERT_EQ(one.size(), two.size());
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].candidate, two[i].candidate) << made->name << ", trial " << i;
  }
}

TEST_P(AgentConformance, SearchesWithoutAnyExactMetric) {
  for (const std::string name : {"zdt1", "dtlz2", "welded_beam", "carside"}) {
    SCOPED_TRACE(name);
    const StandardProblem made = make_standard_problem(name, {.dims = 6});
    EXPECT_EQ(drive(made, *make(made.problem), 8, 4).size(), 32U);
  }
}

TEST_P(AgentConformance, LeavesPendingCandidatesAlone) {
  const StandardProblem made = make_zdt(1, 2, 3);  // nine candidates
  std::vector<Candidate> pending;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a != 1 || b != 1) pending.push_back({{a, b}});
    }
  }
  const auto agent = make(made.problem);
  for (const Candidate& candidate : agent->ask(4, pending)) EXPECT_EQ(candidate, (Candidate{{1, 1}}));
}

TEST_P(AgentConformance, LivesThroughFailedTrials) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const auto agent = make(made.problem);
  EXPECT_EQ(drive(made, *agent, 12, 4, /*every_nth_fails=*/2).size(), 48U);
  const auto other = make(made.problem);
  EXPECT_EQ(drive(made, *other, 8, 4, /*every_nth_fails=*/1).size(), 32U);
}

TEST_P(AgentConformance, EndsWhenTheSpaceIsUsedUp) {
  const StandardProblem made = make_zdt(1, 2, 3);
  const auto agent = make(made.problem);
  EXPECT_LE(drive(made, *agent, 12, 4).size(), 9U);
  EXPECT_TRUE(agent->ask(4, {}).size() <= 9U);
}

TEST_P(AgentConformance, TakesASpaceOfOneDecisionAndOfOneValue) {
  const StandardProblem one_decision = make_zdt(2, 1, 12);
  drive(one_decision, *make(one_decision.problem), 6, 3);
  StandardProblem one_value = make_zdt(1, 2, 2);
  for (policies::Decision& decision : one_value.problem.space.decisions) decision.values = {1};
  const auto agent = make(one_value.problem);
  EXPECT_EQ(drive(one_value, *agent, 4, 3).size(), 1U);
}

TEST_P(AgentConformance, ServesSeveralFrontsAndObjectives) {
  const StandardProblem two_devices = make_network_problem({.layers = 4, .devices = 2, .has_sensitivity = true});
  EXPECT_EQ(drive(two_devices, *make(two_devices.problem), 12, 4).size(), 48U);
  const StandardProblem three_objectives = make_dtlz2(5, 11);
  EXPECT_EQ(drive(three_objectives, *make(three_objectives.problem), 12, 4).size(), 48U);
}

TEST_P(AgentConformance, KeepsTightLimits) {
  StandardProblem made = make_network_problem({.layers = 5});
  Candidate full;
  for (const auto& decision : made.problem.space.decisions) full.choices.push_back(static_cast<int>(decision.values.size()) - 1);
  made.problem.metrics[1].limit = 0.15 * score_exactly(made.problem, full).metrics[1];  // drive() checks that it is kept
  made.problem.metrics[0].limit = 0.6;
  EXPECT_EQ(drive(made, *make(made.problem), 12, 4).size(), 48U);
}

// One objective, and a cost that is limited only; drive() checks that the limit is kept.
TEST_P(AgentConformance, SearchesForAccuracyAloneUnderALimit) {
  for (const bool has_sensitivity : {false, true}) {
    StandardProblem made = make_network_problem({.layers = 5, .has_sensitivity = has_sensitivity});
    Front& front = made.problem.fronts[0];
    made.problem.metrics[1].limit = 0.2 * front.reference_point[1];
    front = {front.name, {0}, {front.reference_point[0]}, {1}};
    EXPECT_EQ(drive(made, *make(made.problem), 12, 4).size(), 48U);
  }
}

TEST_P(AgentConformance, HasNothingToSayWhereNothingIsAllowed) {
  StandardProblem made = make_network_problem({.layers = 3});
  made.problem.metrics[1].limit = 1e-9;
  EXPECT_TRUE(make(made.problem)->ask(4, {}).empty());
}

TEST_P(AgentConformance, LearnsFromTrialsThatItDidNotPropose) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const auto other = make_agent({"quasi_random", "other", {}}, made.problem, 3);
  std::vector<Trial> trials;
  for (const Candidate& candidate : other->ask(30, {}))
    trials.push_back(measure(made, static_cast<std::int64_t>(trials.size()), candidate));
  const auto agent = make(made.problem);
  agent->tell(trials);
  for (const Candidate& candidate : agent->ask(4, {})) {
    for (const Trial& trial : trials) EXPECT_NE(candidate, trial.candidate);
  }
}

TEST_P(AgentConformance, RefusesUnknownAndIllegalOptions) {
  const StandardProblem made = make_zdt(1, 2, 3);
  try {
    make_agent({GetParam(), "", {{"no_such_option", 1}}}, made.problem, 0);
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("no_such_option"), std::string::npos) << error.what();
  }
  for (const AgentKind& kind : agent_kinds()) {
    if (kind.kind != GetParam()) continue;
    EXPECT_FALSE(kind.summary.empty());
    for (const AgentKind::Option& option : kind.options) {
      EXPECT_FALSE(option.help.empty()) << option.name;
      EXPECT_THROW(make_agent({GetParam(), "", {{option.name, option.low - 1}}}, made.problem, 0), UserError) << option.name;
      EXPECT_THROW(make_agent({GetParam(), "", {{option.name, std::numeric_limits<double>::quiet_NaN()}}}, made.problem, 0), UserError);
      EXPECT_NO_THROW(make_agent({GetParam(), "", {{option.name, option.otherwise}}}, made.problem, 0)) << option.name;
    }
  }
}

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const AgentKind& kind : agent_kinds()) names.push_back(kind.kind);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Kinds, AgentConformance, testing::ValuesIn(kinds()), [](const auto& info) { return info.param; });

TEST(AgentRegistry, NamesTheNearestKind) {
  const StandardProblem made = make_zdt(1, 2, 3);
  try {
    make_agent({"nsga", "", {}}, made.problem, 0);
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean nsga2?"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lathe::search

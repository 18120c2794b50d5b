#include "experiments/timed_share.h"

#include <gtest/gtest.h>

namespace lathe::experiments {
namespace {

search::Problem accuracy_and_latency() {
  search::Problem problem;
  problem.metrics = {{.name = "accuracy", .direction = search::Direction::kMaximize, .is_measured = true},
                     {.name = "latency_ms@host", .direction = search::Direction::kMinimize}};
  problem.fronts = {{.name = "host", .metrics = {0, 1}, .reference_point = {0, 100}}};
  return problem;
}

search::Trial trial(std::int64_t id, double accuracy, double latency_ms) {
  return {.id = id, .agent = "", .candidate = {}, .metrics = {accuracy, latency_ms}};
}

TEST(TimedShare, HalfOfWhatIsTimedLiesBehindTheFront) {
  const search::Problem problem = accuracy_and_latency();
  // The front 0 to 4; behind it 5 and 6; 7 is worse than those too.
  const std::vector<search::Trial> trials{trial(0, 0.5, 1), trial(1, 0.6, 2),   trial(2, 0.7, 3),  trial(3, 0.8, 4),
                                          trial(4, 0.9, 5), trial(5, 0.55, 2.5), trial(6, 0.65, 3.5), trial(7, 0.5, 9)};
  EXPECT_EQ(worth_timing(problem, problem.fronts[0], trials, {}, 4), (std::vector<std::int64_t>{0, 4, 5, 6}));
  // What was timed is not timed again; the front gives its places to what lies behind it, and the other way round.
  EXPECT_EQ(worth_timing(problem, problem.fronts[0], trials, {0, 4, 5}, 4), (std::vector<std::int64_t>{1, 2, 3, 6}));
  EXPECT_EQ(worth_timing(problem, problem.fronts[0], trials, {0, 1, 2, 3, 4}, 4), (std::vector<std::int64_t>{5, 6}));
}

TEST(TimedShare, KeptAreThoseOnBothFronts) {
  // By prediction 1 is dominated by 0 and 2 by nothing; measured, 1 is faster than 0 and 3 slower than 2.
  const std::vector<TimedPolicy> policies{{.trial = 0, .accuracy = 0.8, .measured_ms = 3, .predicted_ms = 2},
                                          {.trial = 1, .accuracy = 0.7, .measured_ms = 2, .predicted_ms = 2.5},
                                          {.trial = 2, .accuracy = 0.9, .measured_ms = 4, .predicted_ms = 5},
                                          {.trial = 3, .accuracy = 0.6, .measured_ms = 5, .predicted_ms = 1}};
  EXPECT_EQ(kept_by_prediction(policies), (FrontShare{.on_measured_front = 3, .kept = 2}));
}

TEST(TimedShare, ErrorIsThatOfTheMiddlePolicy) {
  const std::vector<TimedPolicy> policies{{.measured_ms = 1, .predicted_ms = 1.1}, {.measured_ms = 2, .predicted_ms = 1},
                                          {.measured_ms = 4, .predicted_ms = 5}};
  EXPECT_DOUBLE_EQ(median_error(policies), 0.25);
}

}  // namespace
}  // namespace lathe::experiments

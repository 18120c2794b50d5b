#include "search/bayes/front_acquisition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "search/constraints.h"
#include "search/pareto.h"
#include "search/quasi_random/quasi_random.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

std::vector<Trial> trials_of(const StandardProblem& made, int count) {
  CandidateStream stream(made.problem, Rng(1, "front_acquisition_test"));
  std::vector<Trial> trials;
  while (static_cast<int>(trials.size()) < count) {
    Trial trial{.id = static_cast<std::int64_t>(trials.size()), .candidate = *stream.next(), .stddev = made.stddev};
    trial.metrics = score_exactly(made.problem, trial.candidate).metrics;
    std::vector<double> measured{made.measured(trial.candidate)};
    if (made.further) {
      for (const double value : made.further(trial.candidate)) measured.push_back(value);
    }
    const std::vector<int> metrics = measured_metrics(made.problem);
    for (std::size_t k = 0; k < metrics.size(); ++k) trial.metrics[static_cast<std::size_t>(metrics[k])] = measured[k];
    trials.push_back(std::move(trial));
  }
  return trials;
}

std::vector<Posterior> posteriors_of(const StandardProblem& made, const std::vector<Trial>& trials, const SurrogateOptions& options = {}) {
  std::vector<Posterior> posteriors;
  for (const int metric : measured_metrics(made.problem)) {
    Surrogate surrogate(made.problem, metric, options);
    surrogate.learn(trials);
    posteriors.push_back(*surrogate.posterior());
  }
  return posteriors;
}

std::vector<std::int64_t> sorted_elite(const FrontAcquisition& acquisition) {
  std::vector<std::int64_t> rows(acquisition.elite().begin(), acquisition.elite().end());
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Without noise the believed front is the measured one, limits included.
TEST(FrontAcquisition, BelievesWhatWasMeasuredWithoutNoise) {
  for (const KnownMetrics known : {KnownMetrics::kNone, KnownMetrics::kAllButLastObjective}) {
    const StandardProblem made = make_function_problem(*engineering_function("bnh"), 101, known);
    const std::vector<Trial> trials = trials_of(made, 40);
    const std::vector<Posterior> posteriors = posteriors_of(made, trials);
    std::vector<std::int64_t> expected = pareto_set(made.problem, made.problem.fronts[0], trials);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(sorted_elite(FrontAcquisition(made.problem, made.problem.fronts[0], posteriors)), expected);
  }
}

TEST(FrontAcquisition, IsTheGainTimesTheProbabilityOfKeepingTheLimits) {
  const StandardProblem made = make_function_problem(*engineering_function("bnh"), 101, KnownMetrics::kNone);
  const std::vector<Trial> trials = trials_of(made, 40);
  const std::vector<Posterior> posteriors = posteriors_of(made, trials);
  const FrontAcquisition acquisition(made.problem, made.problem.fronts[0], posteriors);
  const std::vector<double> nothing_exact(4, std::nan(""));
  const std::vector<Belief> sure{{5, 0}, {30, 0}, {-1, 0}, {-1, 0}}, unsure{{5, 0}, {30, 0}, {0, 1}, {-1, 0}},
      broken{{5, 0}, {30, 0}, {0.1, 0}, {-1, 0}};
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    if (is_feasible(made.problem, made.problem.fronts[0], trial)) points.push_back({trial.metrics[0], trial.metrics[1]});
  }
  EXPECT_NEAR(std::exp(acquisition.log_value(nothing_exact, sure)), hypervolume_gain(points, {5, 30}, {140, 50}), 1e-9);
  EXPECT_NEAR(acquisition.log_value(nothing_exact, unsure), acquisition.log_value(nothing_exact, sure) + std::log(0.5), 1e-12);
  EXPECT_TRUE(std::isinf(acquisition.log_value(nothing_exact, broken)));
}

// The design of the search: an exact metric is used as it is, so that it decides at once what is not worth a prediction.
TEST(FrontAcquisition, ExactMetricsNeedNoModel) {
  const StandardProblem made = make_function_problem(*engineering_function("bnh"), 101, KnownMetrics::kAllButLastObjective);
  const std::vector<Posterior> posteriors = posteriors_of(made, trials_of(made, 30));
  EXPECT_EQ(posteriors.size(), 1U);
  const FrontAcquisition acquisition(made.problem, made.problem.fronts[0], posteriors);
  EXPECT_FALSE(acquisition.exact_metrics({{0, 100}})) << "x = (0, 3) breaks (x1 - 5)^2 + x2^2 <= 25";
  const auto exact = acquisition.exact_metrics({{20, 20}});
  ASSERT_TRUE(exact);
  EXPECT_NEAR((*exact)[0], 4 * 1 + 4 * 0.36, 1e-12);  // x = (1, 0.6)
}

// A limit on a measured objective moves the reference: only what is below both counts.
TEST(FrontAcquisition, CountsNothingBeyondTheLimitOfAnObjective) {
  StandardProblem made = make_network_problem({.layers = 3});
  made.problem.metrics[0].limit = 0.8;
  const std::vector<Posterior> posteriors = posteriors_of(made, trials_of(made, 20));
  const FrontAcquisition acquisition(made.problem, made.problem.fronts[0], posteriors);
  const std::vector<double> fast{std::nan(""), 0.0};
  const std::vector<Belief> below{{0.79, 0}}, above{{0.81, 0}};
  EXPECT_TRUE(std::isinf(acquisition.log_value(fast, below)));
  EXPECT_TRUE(std::isfinite(acquisition.log_value(fast, above)));
}

// With logit beliefs reference and limits move with the beliefs, and the volume is that of logits.
TEST(FrontAcquisition, MeasuresLogitsWhereBeliefsAreLogits) {
  StandardProblem made = make_network_problem({.layers = 3});
  const double reference = made.problem.fronts[0].reference_point[0];
  ASSERT_GT(reference, 0.05);
  const std::vector<Posterior> posteriors = posteriors_of(made, trials_of(made, 20), {.has_logit_beliefs = true});
  const FrontAcquisition acquisition(made.problem, made.problem.fronts[0], posteriors);
  const std::vector<double> fast{std::nan(""), 0.0};
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  const auto log_gain = [&](double belief) { return acquisition.log_value(fast, std::vector<Belief>{{belief, 0}}); };
  EXPECT_TRUE(std::isinf(log_gain(logit(reference - 0.001))));
  EXPECT_TRUE(std::isfinite(log_gain(logit(reference + 0.001))));
  // Above all that is known each further logit gains the same.
  const double best = logit(0.99), first = std::exp(log_gain(best + 1)) - std::exp(log_gain(best));
  EXPECT_GT(first, 0);
  EXPECT_NEAR(std::exp(log_gain(best + 2)) - std::exp(log_gain(best + 1)), first, 1e-9 * first);
}

TEST(FrontAcquisition, StartsFromTheLeastInfeasibleWhereNothingIsFeasible) {
  StandardProblem made = make_function_problem(*engineering_function("bnh"), 101, KnownMetrics::kNone);
  made.problem.metrics[2].limit = -0.99;  // all but unreachable: only (5, 0) has -1
  const std::vector<Trial> trials = trials_of(made, 30);
  const std::vector<Posterior> posteriors = posteriors_of(made, trials);
  const FrontAcquisition acquisition(made.problem, made.problem.fronts[0], posteriors);
  const auto nearest =
      std::min_element(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) { return a.metrics[2] < b.metrics[2]; });
  EXPECT_EQ(sorted_elite(acquisition), (std::vector<std::int64_t>{nearest->id}));
}

}  // namespace
}  // namespace lathe::search

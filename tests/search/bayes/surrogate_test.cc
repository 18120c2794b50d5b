#include "search/bayes/surrogate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/constraints.h"
#include "search/quasi_random/quasi_random.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

std::vector<Trial> trials_of(const StandardProblem& made, int count, std::uint64_t seed) {
  CandidateStream stream(made.problem, Rng(seed, "surrogate_test"));
  std::vector<Trial> trials;
  while (static_cast<int>(trials.size()) < count) {
    Trial trial{.id = static_cast<std::int64_t>(trials.size()), .candidate = *stream.next(), .stddev = made.stddev};
    trial.metrics = score_exactly(made.problem, trial.candidate).metrics;
    trial.metrics[0] = made.measured(trial.candidate);
    trials.push_back(trial);
  }
  return trials;
}

double error_of(const Surrogate& surrogate, const std::vector<Trial>& unseen) {
  double squares = 0;
  for (const Trial& trial : unseen) {
    const Posterior& posterior = *surrogate.posterior();
    const double mean = posterior.belief(posterior.process().predict(trial.candidate), trial.candidate.choices).mean;
    squares += (mean - trial.metrics[0]) * (mean - trial.metrics[0]);
  }
  return std::sqrt(squares / static_cast<double>(unseen.size()));
}

TEST(Surrogate, PredictsUnseenPoliciesAndTheSensitivitiesHelp) {
  const StandardProblem plain = make_network_problem({.layers = 8, .seed = 2});
  const StandardProblem informed = make_network_problem({.layers = 8, .seed = 2, .has_sensitivity = true});
  const std::vector<Trial> unseen = trials_of(plain, 100, 99);
  double mean = 0, spread = 0;
  for (const Trial& trial : unseen) mean += trial.metrics[0] / 100;
  for (const Trial& trial : unseen) spread += (trial.metrics[0] - mean) * (trial.metrics[0] - mean) / 100;
  spread = std::sqrt(spread);

  Surrogate without(plain.problem, 0, {}), with(informed.problem, 0, {});
  const std::vector<Trial> few = trials_of(plain, 30, 1);
  without.learn(few);
  with.learn(few);
  EXPECT_LT(error_of(without, unseen), 0.8 * spread);
  EXPECT_LT(error_of(with, unseen), 0.7 * error_of(without, unseen));
  without.learn(trials_of(plain, 150, 5));
  EXPECT_LT(error_of(without, unseen), 0.4 * spread);
}

TEST(Surrogate, IgnoresFailedTrialsAndIsEmptyWithoutData) {
  const StandardProblem made = make_network_problem({.layers = 3});
  Surrogate surrogate(made.problem, 0, {});
  EXPECT_FALSE(surrogate.posterior());
  std::vector<Trial> failed = trials_of(made, 5, 1);
  for (Trial& trial : failed) trial.state = TrialState::kFailed;
  surrogate.learn(failed);
  EXPECT_EQ(surrogate.size(), 0U);
  EXPECT_FALSE(surrogate.posterior());
}

TEST(Posterior, BelievedCandidatesLoseTheirUncertaintyOnly) {
  const StandardProblem made = make_network_problem({.layers = 6});
  Surrogate surrogate(made.problem, 0, {});
  surrogate.learn(trials_of(made, 40, 1));
  Posterior posterior = *surrogate.posterior();
  const policies::Candidate pending = trials_of(made, 3, 77)[2].candidate;
  const GpPrediction before = posterior.process().predict(pending);
  posterior.believe(pending);
  const GpPrediction after = posterior.process().predict(pending);
  EXPECT_NEAR(after.mean, before.mean, 1e-6);
  EXPECT_LT(after.stddev, 0.5 * before.stddev);
}

// Beliefs of shares stay shares, however unsure the model is.
TEST(Scaling, LogitKeepsTheMeanInsideZeroToOne) {
  const std::vector<double> raw{0.1, 0.9, 0.5, 0.7};
  const Scaling scaling(raw, {}, Transform::kLogit, /*tails=*/{});
  const Belief belief = scaling.belief({3, 5}, 0);
  EXPECT_GT(belief.mean, 0);
  EXPECT_LT(belief.mean, 1);
  EXPECT_LE(belief.mean + belief.stddev, 1.5);
  for (const double r : raw) EXPECT_NEAR(scaling.belief({scaling.target(r, 0), 0}, 0).mean, r, 1e-12);
}

TEST(Scaling, LogitBeliefsAreThoseOfTheModel) {
  const std::vector<double> raw{0.1, 0.9, 0.5, 0.7};
  const Scaling scaling(raw, {}, Transform::kLogitBeliefs, /*tails=*/{});
  EXPECT_NEAR(scaling.known(0.9), std::log(9.0), 1e-12);
  const Belief at_data = scaling.belief({scaling.target(0.7, 0), 0}, 0), one_off = scaling.belief({scaling.target(0.7, 0) + 1, 1}, 0);
  EXPECT_NEAR(at_data.mean, std::log(0.7 / 0.3), 1e-12);
  EXPECT_NEAR(one_off.mean - at_data.mean, one_off.stddev, 1e-12);
}

}  // namespace
}  // namespace lathe::search

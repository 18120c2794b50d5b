#include "search/bayes/gp.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

const std::vector<std::vector<double>> kPositions{{0, 0.5, 1}, {0, 0.25, 0.75, 1}};

GpParameters parameters() {
  GpParameters p = prior_parameters(2, true);
  p.kernel.log_additive = -0.3;
  p.kernel.log_product = -1.1;
  p.log_noise = -4.0;
  p.kernel.log_lengths << 0.2, -0.5;
  return p;
}

GpData four_points() {
  GpData data{CandidateRows(2), Eigen::VectorXd(4), Eigen::VectorXd(4)};
  for (const auto& choices : std::vector<std::vector<int>>{{0, 0}, {1, 3}, {2, 1}, {2, 2}}) data.rows.append({choices});
  data.targets << 0.3, -1.2, 0.8, 0.1;
  data.noise << 0, 0.01, 0.02, 0;
  return data;
}

// Reference values: the formulas of kernel.h and of Rasmussen and Williams 2006 (2.23, 2.24) written out in NumPy 64-bit.
TEST(GaussianProcess, HasTheValuesOfAnIndependentComputation) {
  const GaussianProcess process(kPositions, four_points(), parameters());
  ASSERT_TRUE(process.is_ok());
  EXPECT_EQ(process.jitter(), 0);
  const std::vector<int> a{0, 0}, b{1, 3};
  EXPECT_NEAR(process.kernel().value(process.kernel().sums(a, b)), 0.5491905255290461, 1e-12);
  const GpPrediction prediction = process.predict(policies::Candidate{{1, 1}});
  EXPECT_NEAR(prediction.mean, 0.4014333821034663, 1e-10);
  EXPECT_NEAR(prediction.stddev, 0.24702954209570785, 1e-10);
  const Eigen::VectorXd smoothed = process.smoothed();
  const double expected[] = {0.28891978, -1.07136602, 0.78919388, 0.03613002};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(smoothed(i), expected[i], 1e-8);
  EXPECT_NEAR(negative_log_posterior(kPositions, four_points(), parameters(), nullptr), 3.138865295155701, 1e-10);
}

struct Random {
  std::vector<std::vector<double>> positions;
  GpData data{CandidateRows(0), {}, {}};
  GpParameters parameters;
};
Random random_problem(int decisions, int n, std::uint64_t seed) {
  Rng rng(seed, "gp_test");
  Random made;
  made.data = {CandidateRows(decisions), Eigen::VectorXd(n), Eigen::VectorXd(n)};
  made.parameters = prior_parameters(decisions, true);
  for (int d = 0; d < decisions; ++d) {
    made.positions.push_back({0, rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.9), 1});
    made.parameters.kernel.log_lengths(d) = rng.uniform(-1.5, 1.5);
  }
  made.parameters.log_noise = rng.uniform(-5, -1);
  for (int i = 0; i < n; ++i) {
    policies::Candidate candidate;
    for (int d = 0; d < decisions; ++d) candidate.choices.push_back(static_cast<int>(rng.below(4)));
    made.data.rows.append(candidate);
    made.data.targets(i) = rng.normal();
    made.data.noise(i) = 0.01 * rng.uniform();
  }
  return made;
}

void warp(KernelParameters& kernel, std::uint64_t seed) {
  Rng rng(seed, "gp_test_warping");
  kernel.log_a = kernel.log_b = kernel.log_lengths;
  for (Eigen::Index d = 0; d < kernel.log_a.size(); ++d) {
    kernel.log_a(d) = rng.uniform(-1, 1);
    kernel.log_b(d) = rng.uniform(-1, 1);
  }
}

TEST(NegativeLogPosterior, GradientIsThatOfCentralDifferences) {
  for (int seed = 0; seed < 6; ++seed) {
    Random made = random_problem(6, 20, static_cast<std::uint64_t>(seed));
    if (seed % 2 == 1) warp(made.parameters.kernel, static_cast<std::uint64_t>(seed));
    Eigen::VectorXd gradient;
    negative_log_posterior(made.positions, made.data, made.parameters, &gradient);
    const Eigen::VectorXd at = pack(made.parameters);
    ASSERT_EQ(gradient.size(), at.size());
    for (Eigen::Index t = 0; t < at.size(); ++t) {
      constexpr double kStep = 1e-5;  // error about kStep^2 of the third derivative, rounding about 1e-15 / kStep
      Eigen::VectorXd up = at, down = at;
      up(t) += kStep;
      down(t) -= kStep;
      const double difference = (negative_log_posterior(made.positions, made.data, unpack(up, 6), nullptr) -
                                 negative_log_posterior(made.positions, made.data, unpack(down, 6), nullptr)) /
                                (2 * kStep);
      EXPECT_NEAR(gradient(t), difference, 1e-6 * (1 + std::abs(difference))) << "parameter " << t;
    }
  }
}

// A metric that is linear in 1 - (1 - z^0.4)^2.5 on each of two decisions: with warping the likelihood is higher and the bend is found.
TEST(Fit, FindsHowInputsAreWarped) {
  constexpr int kValues = 40, kTrials = 80;
  std::vector<double> even;
  for (int v = 0; v < kValues; ++v) even.push_back(v / (kValues - 1.0));
  const std::vector<std::vector<double>> positions{even, even};
  GpData data{CandidateRows(2), Eigen::VectorXd(kTrials), Eigen::VectorXd::Constant(kTrials, 1e-4)};
  Rng rng(5, "gp_test");
  for (int i = 0; i < kTrials; ++i) {
    const int a = static_cast<int>(rng.below(kValues)), b = static_cast<int>(rng.below(kValues));
    data.rows.append({{a, b}});
    data.targets(i) =
        6 * (warped(even[static_cast<std::size_t>(a)], 0.4, 2.5).value - warped(even[static_cast<std::size_t>(b)], 0.4, 2.5).value);
  }
  const GpParameters plain = fit(positions, data, prior_parameters(2, true), 60),
                     bent = fit(positions, data, prior_parameters(2, true, true), 60);
  EXPECT_LT(negative_log_posterior(positions, data, bent, nullptr), negative_log_posterior(positions, data, plain, nullptr) - 5);
  for (const int d : {0, 1}) {
    EXPECT_LT(bent.kernel.log_a(d), -0.2);
    EXPECT_GT(bent.kernel.log_b(d), 0.2);
  }
}

TEST(Fit, LowersTheObjectiveAndFindsWhichDecisionMatters) {
  Random made = random_problem(5, 60, 3);
  for (int i = 0; i < 60; ++i) {  // only the second decision counts
    made.data.targets(i) = 1.4 * (made.positions[1][static_cast<std::size_t>(made.data.rows.row(i)[1])] - 0.5) * 2;
  }
  const GpParameters start = prior_parameters(5, true), fitted = fit(made.positions, made.data, start, 40);
  EXPECT_LT(negative_log_posterior(made.positions, made.data, fitted, nullptr),
            negative_log_posterior(made.positions, made.data, start, nullptr) - 5);
  for (const int d : {0, 2, 3, 4}) EXPECT_LT(fitted.kernel.log_lengths(1), fitted.kernel.log_lengths(d));
}

TEST(GaussianProcess, AppendEqualsFactorizingAnew) {
  const Random made = random_problem(6, 40, 7);
  GpData first{CandidateRows(6), made.data.targets.head(25), made.data.noise.head(25)};
  for (int i = 0; i < 25; ++i) first.rows.append({{made.data.rows.row(i).begin(), made.data.rows.row(i).end()}});
  GaussianProcess grown(made.positions, first, made.parameters);
  for (int i = 25; i < 40; ++i) {
    grown.append({{made.data.rows.row(i).begin(), made.data.rows.row(i).end()}}, made.data.targets(i), made.data.noise(i));
  }
  const GaussianProcess whole(made.positions, made.data, made.parameters);
  for (int c = 0; c < 20; ++c) {
    policies::Candidate candidate;
    for (int d = 0; d < 6; ++d) candidate.choices.push_back((c * 7 + d * d) % 4);
    EXPECT_NEAR(grown.predict(candidate).mean, whole.predict(candidate).mean, 1e-9);
    EXPECT_NEAR(grown.predict(candidate).stddev, whole.predict(candidate).stddev, 1e-9);
  }
}

TEST(Kernel, MovingOneDecisionEqualsComputingAnew) {
  const Random made = random_problem(6, 10, 9);
  const Kernel kernel(made.positions, made.parameters.kernel);
  std::vector<int> a{0, 1, 2, 3, 0, 1}, b{3, 3, 0, 1, 0, 2};
  const Kernel::Sums before = kernel.sums(a, b);
  const Kernel::Sums moved = kernel.moved(before, 2, 2, 3, b[2]);
  a[2] = 3;
  EXPECT_NEAR(kernel.value(moved), kernel.value(kernel.sums(a, b)), 1e-12);
}

// Evenly spaced values share a table by their difference; it must say the same as one for each pair, gradient included.
TEST(Kernel, EvenlySpacedValuesHaveTheFormulasCovariance) {
  std::vector<double> even;
  for (int v = 0; v <= 100; ++v) even.push_back(v / 100.0);
  KernelParameters parameters{std::log(0.4), std::log(0.6), Eigen::VectorXd::Constant(1, std::log(0.3))};
  const Kernel kernel({even}, parameters);
  const auto matern = [](double u) { return (1 + std::sqrt(5.0) * u + 5 * u * u / 3) * std::exp(-std::sqrt(5.0) * u); };
  for (const auto& [a, b] : {std::pair{0, 100}, {37, 12}, {5, 5}}) {
    const std::vector<int> x{a}, y{b};
    EXPECT_NEAR(kernel.value(kernel.sums(x, y)), matern(std::abs(a - b) / 100.0 / 0.3), 1e-12);
  }
}

// Reference values: 1 - (1 - z^a)^b and its central differences in NumPy 64-bit.
TEST(Kernel, WarpsByKumaraswamysDistribution) {
  const Warped w = warped(0.3, 0.5, 2);
  EXPECT_NEAR(w.value, 0.7954451150103323, 1e-14);
  EXPECT_NEAR(w.of_log_a, -0.29825122, 1e-7);
  EXPECT_NEAR(w.of_log_b, 0.32461202, 1e-7);
  EXPECT_EQ(warped(0, 0.5, 2).value, 0);
  EXPECT_EQ(warped(1, 0.5, 2).value, 1);
}

// Above 128 uneven values nothing is tabulated; it must be the same covariance.
TEST(Kernel, ManyWarpedValuesHaveTheFormulasCovariance) {
  std::vector<double> even;
  for (int v = 0; v <= 1000; ++v) even.push_back(v / 1000.0);
  KernelParameters parameters{std::log(0.4), std::log(0.6), Eigen::VectorXd::Constant(1, std::log(0.3)),
                              Eigen::VectorXd::Constant(1, std::log(0.5)), Eigen::VectorXd::Constant(1, std::log(2.0))};
  const Kernel kernel({even}, parameters);
  const auto matern = [](double u) { return (1 + std::sqrt(5.0) * u + 5 * u * u / 3) * std::exp(-std::sqrt(5.0) * u); };
  const std::vector<int> x{300}, y{10};
  const double distance = warped(0.3, 0.5, 2).value - warped(0.01, 0.5, 2).value;
  EXPECT_NEAR(kernel.value(kernel.sums(x, y)), matern(distance / 0.3), 1e-12);
}

// Two identical rows without noise make a singular matrix: the ladder must rescue it and say so.
TEST(GaussianProcess, AddsJitterWhereTheMatrixIsSingular) {
  GpData data{CandidateRows(2), Eigen::VectorXd(2), Eigen::VectorXd::Zero(2)};
  data.rows.append({{1, 1}});
  data.rows.append({{1, 1}});
  data.targets << 1, 1;
  GpParameters p = parameters();
  p.log_noise = -60;
  const GaussianProcess process(kPositions, data, p);
  ASSERT_TRUE(process.is_ok());
  EXPECT_GT(process.jitter(), 0);
  EXPECT_NEAR(process.predict(policies::Candidate{{1, 1}}).mean, 1, 1e-3);
}

TEST(ValuePositions, PlacesChannelsByShareAndWidthsByStepSize) {
  policies::SearchSpace space;
  space.decisions = {{policies::DecisionKind::kKeptChannels, 0, "a", {4, 8, 16}},
                     {policies::DecisionKind::kWeightBits, 0, "w", {2, 3, 32}},
                     {policies::DecisionKind::kKeptChannels, 1, "b", {8}}};
  const auto positions = value_positions(space);
  EXPECT_EQ(positions[0], (std::vector<double>{0.25, 0.5, 1}));
  EXPECT_EQ(positions[1][0], 0);
  EXPECT_NEAR(positions[1][1], 0.5, 1e-8);
  EXPECT_EQ(positions[1][2], 1);
  EXPECT_EQ(positions[2].size(), 1U);
}

}  // namespace
}  // namespace lathe::search

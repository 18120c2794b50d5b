#include "search/bayes/surrogate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::search {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kLogitEdge = 0.005;  // accuracies are kept this far from 0 and 1, where the logit has no end

double logit(double p) {
  const double clipped = std::clamp(p, kLogitEdge, 1 - kLogitEdge);
  return std::log(clipped / (1 - clipped));
}
double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

Scaling::Scaling(std::span<const double> raw, std::span<const double> guess, Transform transform, const TailCompression& tails)
    : transform_(transform), has_guess_(!guess.empty()), tails_(tails) {
  const auto n = static_cast<double>(raw.size());
  double mean = 0, guess_mean = 0;
  for (const double r : raw) mean += latent(r) / n;
  for (const double g : guess) guess_mean += latent(g) / n;
  // Least squares for the slope, drawn to 1 (the prior taken at its word) with the weight of a handful of observations.
  if (has_guess_) {
    double covariance = 0, variance = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const double g = latent(guess[i]) - guess_mean;
      covariance += g * (latent(raw[i]) - mean);
      variance += g * g;
    }
    const double pull = 5 * variance / n + 1e-9;
    slope_ = std::max(0.0, (covariance + pull) / (variance + pull));
  }
  offset_ = mean - slope_ * guess_mean;
  double squares = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double residual = latent(raw[i]) - trend(has_guess_ ? guess[i] : 0);
    squares += residual * residual;
  }
  scale_ = std::max(std::sqrt(squares / n), 1e-9);
}

double Scaling::latent(double raw) const {
  return transform_ == Transform::kNone ? tails_(raw) : logit(raw);
}

double Scaling::trend(double guess) const {
  return has_guess_ ? offset_ + slope_ * latent(guess) : offset_;
}

double Scaling::target(double raw, double guess) const {
  return (latent(raw) - trend(guess)) / scale_;
}

double Scaling::noise(double raw, double stddev) const {
  const double p = std::clamp(raw, kLogitEdge, 1 - kLogitEdge);
  const double slope = transform_ == Transform::kNone ? tails_.slope(raw) : 1 / (p * (1 - p));
  const double deviation = slope * stddev / scale_;
  return deviation * deviation;
}

// The normal latent value back in the metric's units: exact moments without a transform, else by three-point Gauss-Hermite
// quadrature (nodes 0 and +-sqrt(3) deviations, weights 2/3 and 1/6), which keeps the mean inside (0, 1).
Belief Scaling::belief(const GpPrediction& prediction, double guess) const {
  const double mean = trend(guess) + scale_ * prediction.mean, stddev = scale_ * prediction.stddev;
  if (transform_ != Transform::kLogit) return {mean, stddev};
  const double reach = std::sqrt(3.0) * stddev;
  const double low = logistic(mean - reach), middle = logistic(mean), high = logistic(mean + reach);
  const double average = (low + 4 * middle + high) / 6;
  const double variance =
      ((low - average) * (low - average) + 4 * (middle - average) * (middle - average) + (high - average) * (high - average)) / 6;
  return {average, std::sqrt(variance)};
}

// Losses add up while they are small and can never cost more than all: base * exp(-sum / base).
double Posterior::guess(std::span<const int> choices) const {
  if (drops_ == nullptr) return 0;
  double sum = 0;
  for (std::size_t d = 0; d < choices.size(); ++d) sum += (*drops_)[d][static_cast<std::size_t>(choices[d])];
  return base_ > 0 ? base_ * std::exp(-sum / base_) : base_ - sum;
}

std::vector<Belief> Posterior::beliefs_at_data() const {
  const Eigen::VectorXd smoothed = process_.smoothed();
  std::vector<Belief> beliefs;
  for (Eigen::Index i = 0; i < process_.size(); ++i) {
    const double known = noiseless_[static_cast<std::size_t>(i)];
    beliefs.push_back(std::isnan(known) ? belief({smoothed(i), 0}, process_.rows().row(i)) : Belief{scaling_.known(known), 0});
  }
  return beliefs;
}

void Posterior::believe(const policies::Candidate& candidate) {
  process_.append(candidate, process_.predict(candidate).mean, /*noise=*/0);
  noiseless_.push_back(kUnknown);
}

std::vector<int> measured_metrics(const Problem& problem) {
  std::vector<int> measured;
  for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
    if (problem.metrics[m].is_measured) measured.push_back(static_cast<int>(m));
  }
  return measured;
}

Surrogate::Surrogate(const Problem& problem, int metric, const SurrogateOptions& options)
    : problem_(problem),
      options_(options),
      metric_(metric),
      measured_(measured_metrics(problem)),
      positions_(value_positions(problem.space)),
      parameters_(prior_parameters(static_cast<int>(problem.space.decisions.size()), /*is_noisy=*/true, options.is_warped)) {}

void Surrogate::learn(std::span<const Trial> finished) {
  for (const Trial& trial : finished) {
    // All surrogates of a problem learn the same trials, so that their rows agree.
    const auto is_finite = [&](int m) { return std::isfinite(trial.metrics[static_cast<std::size_t>(m)]); };
    if (trial.state == TrialState::kFailed || !std::all_of(measured_.begin(), measured_.end(), is_finite)) continue;
    const double value = trial.metrics[static_cast<std::size_t>(metric_)];
    candidates_.push_back(trial.candidate);
    raw_.push_back(value);
    stddev_.push_back(metric_ == measured_.front() ? trial.stddev : 0);
    if (!posterior_) continue;
    const double guess = posterior_->guess(trial.candidate.choices);
    posterior_->process_.append(trial.candidate, posterior_->scaling_.target(value, guess),
                                posterior_->scaling_.noise(value, stddev_.back()));
    posterior_->noiseless_.push_back(noiseless(size() - 1));
  }
  const auto grown = static_cast<double>(fitted_size_) * (1 + options_.refit_growth);
  constexpr std::size_t kFewest = 2;
  if (size() >= kFewest && (!posterior_ || static_cast<double>(size()) >= std::max(grown, static_cast<double>(fitted_size_) + 4))) refit();
}

double Surrogate::noiseless(std::size_t row) const {
  return stddev_[row] > 0 ? kUnknown : raw_[row];
}

void Surrogate::refit() {
  const Metric& metric = problem_.metrics[static_cast<std::size_t>(metric_)];
  const bool is_maximized = metric.direction == Direction::kMaximize;
  const bool is_share = std::all_of(raw_.begin(), raw_.end(), [](double v) { return v >= 0 && v <= 1; });
  const bool has_prior = options_.has_prior && is_maximized && problem_.sensitivity.size() == problem_.space.decisions.size();
  // The uncompressed network's value is the base of the prior; the best one until it is known.
  double base = *std::max_element(raw_.begin(), raw_.end());
  for (std::size_t i = 0; i < size(); ++i) {
    bool is_full = true;
    for (std::size_t d = 0; d < candidates_[i].choices.size(); ++d) {
      is_full &= candidates_[i].choices[d] + 1 == static_cast<int>(problem_.space.decisions[d].values.size());
    }
    if (is_full) base = raw_[i];
  }

  const int decisions = static_cast<int>(problem_.space.decisions.size());
  GpData data{CandidateRows(decisions), Eigen::VectorXd(static_cast<Eigen::Index>(size())),
              Eigen::VectorXd(static_cast<Eigen::Index>(size()))};
  for (const policies::Candidate& candidate : candidates_) data.rows.append(candidate);
  const std::vector<std::vector<double>>* drops = has_prior ? &problem_.sensitivity : nullptr;
  // A model without data or scale, only for the prior's guesses.
  const Posterior prior(metric_,
                        GaussianProcess(positions_, {CandidateRows(decisions), Eigen::VectorXd(0), Eigen::VectorXd(0)}, parameters_), {},
                        drops, base);
  std::vector<double> guesses;
  if (has_prior) {
    for (const policies::Candidate& candidate : candidates_) guesses.push_back(prior.guess(candidate.choices));
  }
  const Transform of_shares = options_.has_logit_beliefs ? Transform::kLogitBeliefs : Transform::kLogit;
  const Transform transform = options_.has_transform && is_maximized && is_share ? of_shares : Transform::kNone;
  const Scaling scaling(raw_, guesses, transform, TailCompression(problem_, metric_, raw_));
  for (std::size_t i = 0; i < size(); ++i) {
    data.targets(static_cast<Eigen::Index>(i)) = scaling.target(raw_[i], has_prior ? guesses[i] : 0);
    data.noise(static_cast<Eigen::Index>(i)) = scaling.noise(raw_[i], stddev_[i]);
  }
  if (fitted_size_ == 0) parameters_ = prior_parameters(decisions, data.noise.maxCoeff() > 0, options_.is_warped);
  parameters_ = fit(positions_, data, parameters_, options_.fit_iterations);
  fitted_size_ = size();
  GaussianProcess process(positions_, std::move(data), parameters_);
  posterior_.reset();
  if (!process.is_ok()) return;
  posterior_.emplace(Posterior(metric_, std::move(process), scaling, drops, base));
  for (std::size_t i = 0; i < size(); ++i) posterior_->noiseless_.push_back(noiseless(i));
}

}  // namespace lathe::search

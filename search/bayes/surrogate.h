// A measured metric as a Gaussian process over candidates: transformed, minus a prior mean, standardized. In a network's search that is the
// accuracy alone: everything else about a candidate is exact and needs no model.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "search/bayes/acquisition.h"
#include "search/bayes/gp.h"
#include "search/bayes/tail_compression.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

struct SurrogateOptions {
  int fit_iterations = 15;         // of L-BFGS at a refit
  double refit_growth = 0.15;      // hyperparameters are fitted again when the number of trials has grown by this share
  bool has_transform = true;       // logit for values in [0, 1] that are to be maximized (accuracies)
  bool has_prior = true;           // use Problem::sensitivity
  bool has_logit_beliefs = false;  // with the transform: beliefs stay logits, and so does what is gained by them
  bool is_warped = false;          // warp the decisions' values (kernel.h)
};

// What the model is of: the metric itself, or its logit, with beliefs about the metric or about the logit.
enum class Transform { kNone, kLogit, kLogitBeliefs };

// From the metric's units to the model's and back. Beliefs are in the metric's units but for what `tails` compresses, or logits.
class Scaling {
 public:
  Scaling() = default;
  // raw: observed values. guess: for each the prior's guess in raw units; empty = no prior. tails: of values without logit.
  Scaling(std::span<const double> raw, std::span<const double> guess, Transform transform, const TailCompression& tails);

  double target(double raw, double guess) const;
  double noise(double raw, double stddev) const;  // variance of the target, by the slope of the transform
  double known(double raw) const { return transform_ == Transform::kLogit ? raw : latent(raw); }  // the belief of what is known
  Belief belief(const GpPrediction& prediction, double guess) const;

 private:
  double latent(double raw) const;
  double trend(double guess) const;
  Transform transform_ = Transform::kNone;
  bool has_guess_ = false;
  TailCompression tails_;
  double offset_ = 0, slope_ = 0;  // trend = offset + slope * latent(guess)
  double scale_ = 1;
};

// Posterior at one moment; pending candidates can be added to it as fantasies.
class Posterior {
 public:
  int metric() const { return metric_; }  // index into Problem::metrics
  const GaussianProcess& process() const { return process_; }
  double guess(std::span<const int> choices) const;
  Belief belief(const GpPrediction& prediction, std::span<const int> choices) const { return scaling_.belief(prediction, guess(choices)); }
  // The belief at each row of the data: what was measured where that had no noise, else with the noise averaged out.
  std::vector<Belief> beliefs_at_data() const;
  // What is known without noise, in the units of the beliefs: a reference point, a limit.
  double known(double raw) const { return scaling_.known(raw); }
  // Kriging believer (D. Ginsbourger, R. Le Riche, L. Carraro, 2010): as if the candidate had been measured at its posterior mean, so that
  // what is pending is not proposed again nearby.
  void believe(const policies::Candidate& candidate);

 private:
  friend class Surrogate;
  Posterior(int metric, GaussianProcess process, Scaling scaling, const std::vector<std::vector<double>>* drops, double base)
      : metric_(metric), process_(std::move(process)), scaling_(scaling), drops_(drops), base_(base) {}
  int metric_;
  GaussianProcess process_;
  Scaling scaling_;
  const std::vector<std::vector<double>>* drops_;  // null = no prior
  double base_;                                    // value of the uncompressed network
  std::vector<double> noiseless_;                  // of each row what was measured without noise; NaN where there was some
};

class Surrogate {
 public:
  // metric: a measured one. `problem` must outlive it.
  Surrogate(const Problem& problem, int metric, const SurrogateOptions& options);

  void learn(std::span<const Trial> finished);
  std::size_t size() const { return candidates_.size(); }
  // The candidates that the model rests on, in the order of its rows.
  const std::vector<policies::Candidate>& candidates() const { return candidates_; }
  // Nothing while fewer than two candidates are measured, or where the covariance cannot be factorized.
  const std::optional<Posterior>& posterior() const { return posterior_; }
  // Of the length scales, by decision.
  const Eigen::VectorXd& log_lengths() const { return parameters_.kernel.log_lengths; }

 private:
  void refit();
  double noiseless(std::size_t row) const;  // the value, or NaN if it has noise
  const Problem& problem_;
  SurrogateOptions options_;
  int metric_;
  std::vector<int> measured_;  // all measured metrics; trials give the noise of the first only, the others count as free of it
  std::vector<std::vector<double>> positions_;
  std::vector<policies::Candidate> candidates_;
  std::vector<double> raw_, stddev_;
  GpParameters parameters_;
  std::size_t fitted_size_ = 0;
  std::optional<Posterior> posterior_;
};

// Indices of the measured metrics, ascending.
std::vector<int> measured_metrics(const Problem& problem);

}  // namespace lathe::search

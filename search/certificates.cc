#include "search/certificates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/base/check.h"

namespace lathe::search {
namespace {

using policies::CostTerm;

constexpr int kGrid = 40;           // prices of a millisecond that are tried for every latency
constexpr double kDecades = 6;      // that they span
constexpr int kRefinements = 14;    // steps of the golden section between two of them
constexpr double kRounding = 1e-9;  // sums of latencies in another order differ by less, relative

std::vector<int> extents_of(const std::vector<std::vector<double>>& drops) {
  std::vector<int> extents;
  for (const std::vector<double>& of_decision : drops) extents.push_back(static_cast<int>(of_decision.size()));
  return extents;
}

double largest_sum(const std::vector<std::vector<double>>& drops) {
  double sum = 0;
  for (const std::vector<double>& of_decision : drops) sum += *std::max_element(of_decision.begin(), of_decision.end());
  return sum;
}

// How much the terms can differ at most, in all.
double span_of(const std::vector<CostTerm>& terms) {
  double span = 0;
  for (const CostTerm& term : terms) {
    const auto [low, high] = std::minmax_element(term.values.begin(), term.values.end());
    span += *high - *low;
  }
  return span;
}

}  // namespace

Certificates::Certificates(std::vector<std::vector<double>> drops, policies::AdditiveCost latency)
    : drops_(std::move(drops)), latency_(std::move(latency)), minimum_(extents_of(drops_), latency_.terms) {
  const double span = span_of(latency_.terms), loss = largest_sum(drops_);
  if (!(span > 0) || !(loss > 0)) return;  // price or loss is nothing: the bound is that of no price
  for (int i = 0; i < kGrid; ++i) {
    lambdas_.push_back(loss / span * std::pow(10.0, kDecades * (static_cast<double>(i) / (kGrid - 1) - 0.5)));
    duals_.push_back(dual(lambdas_.back()));
  }
}

double Certificates::loss(const policies::Candidate& candidate) const {
  LATHE_CHECK_EQ(candidate.choices.size(), drops_.size());
  double sum = 0;
  for (std::size_t d = 0; d < drops_.size(); ++d) sum += drops_[d][static_cast<std::size_t>(candidate.choices[d])];
  return sum;
}

double Certificates::dual(double lambda) const {
  std::vector<CostTerm> terms = latency_.terms;
  for (CostTerm& term : terms) {
    for (double& value : term.values) value *= lambda;
  }
  for (std::size_t d = 0; d < drops_.size(); ++d) terms.push_back({.decisions = {static_cast<int>(d)}, .values = drops_[d]});
  return minimum_.bound(std::move(terms));
}

double Certificates::least_loss(double latency_ms) const {
  const double room = latency_ms * (1 + kRounding) - latency_.constant;
  double best = 0;  // lambda = 0: the sum of the smallest drops
  for (const std::vector<double>& of_decision : drops_) best += *std::min_element(of_decision.begin(), of_decision.end());
  if (lambdas_.empty()) return best;
  const auto bound = [&](std::size_t i) { return duals_[i] - lambdas_[i] * room; };
  std::size_t top = 0;
  for (std::size_t i = 1; i < lambdas_.size(); ++i) {
    if (bound(i) > bound(top)) top = i;
  }
  best = std::max(best, bound(top));
  // The dual is concave in lambda, so along its logarithm it has one top, between the neighbours of the grid's best.
  const double golden = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(lambdas_[top == 0 ? 0 : top - 1]), high = std::log(lambdas_[std::min(top + 1, lambdas_.size() - 1)]);
  const auto at = [&](double log_lambda) {
    const double value = dual(std::exp(log_lambda)) - std::exp(log_lambda) * room;
    best = std::max(best, value);
    return value;
  };
  double left = high - golden * (high - low), right = low + golden * (high - low);
  double at_left = at(left), at_right = at(right);
  for (int i = 0; i < kRefinements; ++i) {
    if (at_left < at_right) {
      low = left, left = right, at_left = at_right;
      right = low + golden * (high - low), at_right = at(right);
    } else {
      high = right, right = left, at_right = at_left;
      left = high - golden * (high - low), at_left = at(left);
    }
  }
  return best;
}

}  // namespace lathe::search

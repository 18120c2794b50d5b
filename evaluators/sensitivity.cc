#include "evaluators/sensitivity.h"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "models/base/check.h"

namespace lathe::evaluators {
namespace {

struct Probe {
  int decision, value;
};

// Value indices that are measured: the lowest, the middle one, and the last (which costs nothing).
std::vector<int> measured_indices(int count) {
  std::vector<int> indices{0, (count - 1) / 2, count - 1};
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

// The probability of the expected class where the evaluator knows it: a drop of accuracy on few rows is mostly zero or one row.
double score_of(const Evaluator& evaluator, const policies::Policy& policy, std::int64_t rows) {
  const Evaluation evaluation = evaluator.evaluate({.policy = policy, .split = Split::kSearch, .rows = rows});
  if (!evaluation.is_ok) return 0.0;
  return std::isnan(evaluation.expected_probability) ? evaluation.accuracy : evaluation.expected_probability;
}

// The loss at `value` between two measured ones, low.value < value < high.value.
struct Measured {
  int value;
  double loss;
};
double loss_between(policies::DecisionKind kind, const Measured& low, const Measured& high, int value) {
  const double share = static_cast<double>(value - low.value) / (high.value - low.value);
  const bool is_width = kind == policies::DecisionKind::kWeightBits || kind == policies::DecisionKind::kActivationBits;
  if (!is_width) return low.loss + share * (high.loss - low.loss);
  constexpr double kNoiseShare = 0.25;  // of the power of rounding noise that is left with one bit more
  constexpr double kLeast = 1e-6;       // a loss that counts as none; keeps the logarithm finite
  if (high.loss < kLeast) return low.loss * std::pow(kNoiseShare, value - low.value);
  return std::exp((1 - share) * std::log(std::max(low.loss, kLeast)) + share * std::log(high.loss));
}

}  // namespace

std::vector<double> interpolate_losses(policies::DecisionKind kind, const std::vector<int>& values, const std::vector<int>& measured,
                                       const std::vector<double>& losses) {
  LATHE_CHECK_EQ(measured.size(), losses.size());
  LATHE_CHECK(!measured.empty());
  LATHE_CHECK_EQ(measured.back(), static_cast<int>(values.size()) - 1);
  std::vector<double> result(values.size(), losses.back());
  for (std::size_t m = 0; m + 1 < measured.size(); ++m) {
    const auto at = [&](std::size_t k) { return Measured{values[static_cast<std::size_t>(measured[k])], losses[k]}; };
    result[static_cast<std::size_t>(measured[m])] = losses[m];
    for (int v = measured[m] + 1; v < measured[m + 1]; ++v)
      result[static_cast<std::size_t>(v)] = loss_between(kind, at(m), at(m + 1), values[static_cast<std::size_t>(v)]);
  }
  for (std::size_t v = result.size() - 1; v-- > 0;) result[v] = std::max(result[v], result[v + 1]);
  return result;
}

std::vector<std::vector<double>> measure_sensitivity(const policies::SearchSpace& space, const Evaluator& evaluator,
                                                     const std::function<policies::Policy(const policies::Candidate&)>& to_policy,
                                                     const SensitivityOptions& options, const std::function<void(int, int)>& progress) {
  const policies::Candidate base = policies::least_compressed(space);
  const double base_score = score_of(evaluator, to_policy(base), options.rows);
  std::vector<Probe> probes;
  for (int d = 0; d < static_cast<int>(space.decisions.size()); ++d) {
    const auto indices = measured_indices(static_cast<int>(space.decisions[static_cast<std::size_t>(d)].values.size()));
    for (std::size_t i = 0; i + 1 < indices.size(); ++i) probes.push_back({.decision = d, .value = indices[i]});
  }
  std::vector<double> losses(probes.size());
  std::mutex mutex;
  int done = 0;
  tbb::task_arena(std::max(1, options.threads)).execute([&] {
    tbb::parallel_for(std::size_t{0}, probes.size(), [&](std::size_t i) {
      policies::Candidate candidate = base;
      candidate.choices[static_cast<std::size_t>(probes[i].decision)] = probes[i].value;
      losses[i] = std::max(0.0, base_score - score_of(evaluator, to_policy(candidate), options.rows));
      if (!progress) return;
      const std::lock_guard lock(mutex);
      progress(++done, static_cast<int>(probes.size()));
    });
  });
  std::vector<std::vector<double>> drop;
  std::size_t next = 0;
  for (const auto& decision : space.decisions) {
    const auto indices = measured_indices(static_cast<int>(decision.values.size()));
    std::vector<double> measured(losses.begin() + static_cast<std::ptrdiff_t>(next),
                                 losses.begin() + static_cast<std::ptrdiff_t>(next + indices.size() - 1));
    measured.push_back(0);
    next += indices.size() - 1;
    drop.push_back(interpolate_losses(decision.kind, decision.values, indices, measured));
  }
  return drop;
}

}  // namespace lathe::evaluators

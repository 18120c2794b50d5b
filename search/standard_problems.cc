#include "search/standard_problems.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "models/base/check.h"
#include "models/base/error.h"
#include "models/base/rng.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;

// All objectives but the last, by a function of the candidate.
class FunctionMetrics final : public ExactMetrics {
 public:
  using Function = std::function<void(const Candidate&, std::span<double>)>;
  explicit FunctionMetrics(Function function) : function_(std::move(function)) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    function_(candidate, values);
    return true;
  }

 private:
  Function function_;
};

// `decisions` groups of levels - 1 "channels" each, kept 0 to all: x = kept / (levels - 1).
policies::SearchSpace level_space(int decisions, int levels) {
  policies::SearchSpace space;
  std::vector<int> values(static_cast<std::size_t>(levels));
  std::iota(values.begin(), values.end(), 0);
  for (int d = 0; d < decisions; ++d) {
    const std::string name = "x" + std::to_string(d + 1);
    space.decisions.push_back({DecisionKind::kKeptChannels, d, name, values});
    space.groups.push_back({d, name, levels - 1});
  }
  return space;
}

std::vector<double> unit_point(const Problem& problem, const Candidate& candidate) {
  std::vector<double> x;
  for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
    const auto& values = problem.space.decisions[d].values;
    x.push_back(static_cast<double>(values[static_cast<std::size_t>(candidate.choices[d])]) / values.back());
  }
  return x;
}

// Objectives f(x), all minimized, the last measured.
StandardProblem make_function_problem(const std::string& name, int decisions, int levels, std::vector<double> reference,
                                      std::function<std::vector<double>(const std::vector<double>&)> f) {
  LATHE_CHECK_GE(levels, 2);
  StandardProblem made;
  made.name = name;
  made.problem.space = level_space(decisions, levels);
  const policies::SearchSpace space = made.problem.space;
  const auto evaluate = [space, f = std::move(f)](const Candidate& candidate) {
    const Problem only_space{space};
    return f(unit_point(only_space, candidate));
  };
  Front front{name, {}, reference};
  for (std::size_t k = 0; k < reference.size(); ++k) {
    made.problem.metrics.push_back({"f" + std::to_string(k + 1), Direction::kMinimize, /*is_measured=*/k + 1 == reference.size()});
    front.metrics.push_back(static_cast<int>(k));
  }
  made.problem.fronts.push_back(std::move(front));
  made.exact = std::make_unique<FunctionMetrics>([evaluate](const Candidate& candidate, std::span<double> values) {
    const std::vector<double> objectives = evaluate(candidate);
    std::copy(objectives.begin(), objectives.end() - 1, values.begin());
  });
  made.problem.exact = made.exact.get();
  made.measured = [evaluate](const Candidate& candidate) { return evaluate(candidate).back(); };
  return made;
}

}  // namespace

StandardProblem make_zdt(int variant, int decisions, int levels) {
  LATHE_CHECK(variant >= 1 && variant <= 3);
  LATHE_CHECK_GE(decisions, 1);
  const auto f = [variant](const std::vector<double>& x) {
    const double tail = std::accumulate(x.begin() + 1, x.end(), 0.0);
    const double g = x.size() > 1 ? 1 + 9 * tail / static_cast<double>(x.size() - 1) : 1;
    const double ratio = x[0] / g;
    double h = variant == 2 ? 1 - ratio * ratio : 1 - std::sqrt(ratio);
    if (variant == 3) h -= ratio * std::sin(10 * std::numbers::pi * x[0]);
    return std::vector<double>{x[0], g * h};
  };
  return make_function_problem("zdt" + std::to_string(variant), decisions, levels, {11, 11}, f);
}

StandardProblem make_dtlz2(int decisions, int levels) {
  LATHE_CHECK_GE(decisions, 2);
  const auto f = [](const std::vector<double>& x) {
    double g = 0;
    for (std::size_t i = 2; i < x.size(); ++i) g += (x[i] - 0.5) * (x[i] - 0.5);
    const double a = x[0] * std::numbers::pi / 2, b = x[1] * std::numbers::pi / 2;
    return std::vector<double>{(1 + g) * std::cos(a) * std::cos(b), (1 + g) * std::cos(a) * std::sin(b), (1 + g) * std::sin(a)};
  };
  return make_function_problem("dtlz2", decisions, levels, {1.1, 1.1, 1.1}, f);
}

StandardProblem make_standard_problem(const std::string& name, int dims, std::uint64_t seed) {
  constexpr int kGrid = 21;
  if (name == "zdt1") return make_zdt(1, dims, kGrid);
  if (name == "zdt2") return make_zdt(2, dims, kGrid);
  if (name == "zdt3") return make_zdt(3, dims, kGrid);
  if (name == "dtlz2") return make_dtlz2(dims, kGrid);
  if (name == "network") return make_network_problem({.layers = std::max(1, dims / 3), .seed = seed});
  throw UserError(Fault{.key = "problem", .expected = "one of zdt1, zdt2, zdt3, dtlz2, network", .got = name});
}

}  // namespace lathe::search

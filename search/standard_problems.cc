#include "search/standard_problems.h"

#include <algorithm>
#include <numeric>

#include "models/base/check.h"
#include "models/base/error.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;
using Evaluate = std::function<std::vector<double>(const Candidate&)>;

// All objectives but the last, and the constraints.
class FunctionMetrics final : public ExactMetrics {
 public:
  explicit FunctionMetrics(Evaluate evaluate) : evaluate_(std::move(evaluate)) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    const std::vector<double> all = evaluate_(candidate);
    std::copy(all.begin(), all.end(), values.begin());  // the caller forgets the measured one
    return true;
  }

 private:
  Evaluate evaluate_;
};

// `decisions` groups of levels - 1 "channels" each, of which 0 to all are kept.
policies::SearchSpace level_space(std::size_t decisions, int levels) {
  policies::SearchSpace space;
  std::vector<int> values(static_cast<std::size_t>(levels));
  std::iota(values.begin(), values.end(), 0);
  for (std::size_t d = 0; d < decisions; ++d) {
    const std::string name = "x" + std::to_string(d + 1);
    space.decisions.push_back({DecisionKind::kKeptChannels, static_cast<int>(d), name, values});
    space.groups.push_back({static_cast<int>(d), name, levels - 1});
  }
  return space;
}

Evaluate on_levels(const TestFunction& function, int levels) {
  return [function, levels](const Candidate& candidate) {
    std::vector<double> x;
    for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
      const double share = static_cast<double>(candidate.choices[d]) / (levels - 1);
      x.push_back(function.lower[d] + share * (function.upper[d] - function.lower[d]));
    }
    return function.evaluate(x);
  };
}

// Metrics and the one front: objectives, then constraints.
void describe(const TestFunction& function, KnownMetrics known, Problem& problem) {
  Front front{function.name, {}, function.reference_point, {}};
  const int objectives = function.objectives();
  for (int m = 0; m < objectives; ++m) {
    const bool is_measured = known == KnownMetrics::kNone || m + 1 == objectives;
    front.metrics.push_back(m);
    problem.metrics.push_back({"f" + std::to_string(m + 1), Direction::kMinimize, is_measured});
  }
  for (int c = 0; c < function.constraints; ++c) {
    front.limited.push_back(objectives + c);
    problem.metrics.push_back({"g" + std::to_string(c + 1), Direction::kMinimize, known == KnownMetrics::kNone, /*limit=*/0});
  }
  problem.fronts.push_back(std::move(front));
}

// The number behind a family's name ("zdt" in "zdt3"), if it is one of `variants`; 0 if not.
int variant_of(const std::string& name, const std::string& family, const std::string& variants) {
  const bool is_one = name.size() == family.size() + 1 && name.starts_with(family) && variants.find(name.back()) != std::string::npos;
  return is_one ? name.back() - '0' : 0;
}

void require(bool is_met, const std::string& key, const std::string& expected, int got) {
  if (!is_met) throw UserError(Fault{.key = key, .expected = expected, .got = std::to_string(got)});
}

TestFunction function_of(const std::string& name, const StandardProblemOptions& options) {
  if (std::optional<TestFunction> engineering = engineering_function(name)) return *engineering;
  if (const int variant = variant_of(name, "zdt", "12346")) {
    require(options.dims >= 1, "dims", "at least 1", options.dims);
    return zdt_function(variant, options.dims);
  }
  require(options.objectives >= 2, "objectives", "at least 2", options.objectives);
  if (const int variant = variant_of(name, "dtlz", "1234567")) {
    require(options.dims >= options.objectives, "dims", "at least the number of objectives", options.dims);
    return dtlz_function(variant, options.dims, options.objectives);
  }
  if (const int variant = variant_of(name, "wfg", "123456789")) {
    const int position = options.objectives == 2 ? 4 : 2 * (options.objectives - 1);
    require(options.dims > position && (options.dims - position) % 2 == 0, "dims", std::to_string(position) + " + an even number",
            options.dims);
    return wfg_function(variant, options.dims, options.objectives);
  }
  std::string legal = "zdt1-4, zdt6, dtlz1-7, wfg1-9, network";
  for (const std::string& known : engineering_function_names()) legal += ", " + known;
  throw UserError(Fault{.key = "problem", .expected = "one of " + legal, .got = name});
}

}  // namespace

StandardProblem make_function_problem(const TestFunction& function, int levels, KnownMetrics known) {
  LATHE_CHECK_GE(levels, 2);
  StandardProblem made;
  made.name = function.name;
  made.problem.space = level_space(function.lower.size(), levels);
  describe(function, known, made.problem);
  const Evaluate evaluate = on_levels(function, levels);
  if (known == KnownMetrics::kNone) {
    made.measured = [evaluate](const Candidate& candidate) { return evaluate(candidate).front(); };
    made.further = [evaluate](const Candidate& candidate) {
      std::vector<double> all = evaluate(candidate);
      all.erase(all.begin());
      return all;
    };
    return made;
  }
  const auto last = static_cast<std::size_t>(function.objectives() - 1);
  made.measured = [evaluate, last](const Candidate& candidate) { return evaluate(candidate)[last]; };
  made.exact = std::make_unique<FunctionMetrics>(evaluate);
  made.problem.exact = made.exact.get();
  return made;
}

StandardProblem make_zdt(int variant, int decisions, int levels, KnownMetrics known) {
  return make_function_problem(zdt_function(variant, decisions), levels, known);
}

StandardProblem make_dtlz2(int decisions, int levels, KnownMetrics known) {
  return make_function_problem(dtlz_function(2, decisions, /*objectives=*/3), levels, known);
}

StandardProblem make_standard_problem(const std::string& name, const StandardProblemOptions& options) {
  if (name == "network") {
    return make_network_problem(
        {.layers = std::max(1, options.dims / 3), .seed = options.seed, .has_sensitivity = options.has_sensitivity});
  }
  require(options.levels >= 2, "levels", "at least 2", options.levels);
  return make_function_problem(function_of(name, options), options.levels, options.known);
}

}  // namespace lathe::search

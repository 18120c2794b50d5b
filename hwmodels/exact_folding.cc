#include "hwmodels/exact_folding.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace lathe::hwmodels {
namespace {

// Branch-and-bound nodes a question, reached by none of the small cases of the tests.
constexpr int kMostNodes = 200000;

ResourceVector sum(const ResourceVector& a, const ResourceVector& b) {
  return {a[kLut] + b[kLut], a[kBram36] + b[kBram36], a[kDsp] + b[kDsp]};
}

// Whether anything fits at one interval.
class BranchAndBound {
 public:
  BranchAndBound(std::span<const StageView> stages, const ResourceVector& limits, double interval)
      : stages_(stages), limits_(limits), fronts_(stages.size()), rest_(stages.size() + 1, ResourceVector{}), chosen_(stages.size()) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (std::size_t i = stages.size(); i-- > 0;) {
      fill_front(*stages[i].options, interval, fronts_[i]);
      ResourceVector least{kInfinity, kInfinity, kInfinity};
      for (const std::uint16_t option : fronts_[i]) {
        for (std::size_t r = 0; r < kFoldingResources; ++r) least[r] = std::min(least[r], resources(i, option)[r]);
      }
      rest_[i] = sum(rest_[i + 1], least);
    }
  }

  bool search() { return descend(0, {}); }
  const std::vector<std::uint16_t>& chosen() const { return chosen_; }

 private:
  // Options of at most `interval` cycles that no other of them beats in every resource.
  static void fill_front(const StageOptions& stage, double interval, std::vector<std::uint16_t>& front) {
    const auto levels = std::upper_bound(stage.level_cycles.begin(), stage.level_cycles.end(), interval) - stage.level_cycles.begin();
    for (std::size_t i = 0; i < stage.options.size() && stage.options[i].cycles <= interval; ++i) {
      if (stage.beaten_from[i] >= static_cast<std::uint32_t>(levels)) front.push_back(static_cast<std::uint16_t>(i));
    }
  }

  const ResourceVector& resources(std::size_t stage, std::uint16_t option) const {
    return stages_[stage].options->options[option].resources;
  }

  // Chooses stages from `stage` on; `used` by the ones before.
  bool descend(std::size_t stage, const ResourceVector& used) {
    if (stage == stages_.size()) return true;
    if (++nodes_ > kMostNodes) return false;
    for (const std::uint16_t option : fronts_[stage]) {
      const ResourceVector next = sum(used, resources(stage, option));
      if (!is_within(sum(next, rest_[stage + 1]), limits_)) continue;
      chosen_[stage] = option;
      if (descend(stage + 1, next)) return true;
    }
    return false;
  }

  std::span<const StageView> stages_;
  const ResourceVector& limits_;
  std::vector<std::vector<std::uint16_t>> fronts_;
  std::vector<ResourceVector> rest_;  // least resources of the stages from i on
  std::vector<std::uint16_t> chosen_;
  int nodes_ = 0;
};

// Numbers of cycles that the slowest stage can have, rising: below what is known to fit, and not below what the slowest stage needs.
std::vector<double> intervals_to_try(std::span<const StageView> stages, double least_interval, const FoldingSolution& solution) {
  double lowest = least_interval;
  for (const StageView& stage : stages) lowest = std::max(lowest, stage.options->level_cycles.front());
  std::vector<double> intervals;
  if (!solution.is_feasible || lowest < solution.initiation_interval) intervals.push_back(lowest);
  for (const StageView& stage : stages) {
    for (const double cycles : stage.options->level_cycles) {
      if (cycles > lowest && (!solution.is_feasible || cycles < solution.initiation_interval)) intervals.push_back(cycles);
    }
  }
  std::sort(intervals.begin(), intervals.end());
  return intervals;
}

}  // namespace

void improve_exactly(std::span<const StageView> stages, const ResourceVector& limits, double least_interval, FoldingSolution& solution) {
  const std::vector<double> intervals = intervals_to_try(stages, least_interval, solution);
  for (std::size_t low = 0, high = intervals.size(); low < high;) {
    const std::size_t middle = (low + high) / 2;
    BranchAndBound question(stages, limits, intervals[middle]);
    if (!question.search()) {
      low = middle + 1;
      continue;
    }
    high = middle;
    solution.is_feasible = true;
    solution.chosen = question.chosen();
    solution.initiation_interval = intervals[middle];
  }
  for (std::size_t i = 0; i < stages.size(); ++i) solution.uses_dsp[i] = stages[i].options->options[solution.chosen[i]].folding.uses_dsp;
}

}  // namespace lathe::hwmodels

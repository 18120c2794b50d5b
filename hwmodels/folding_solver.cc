#include "hwmodels/folding_solver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "hwmodels/exact_folding.h"
#include "models/base/vector_versions.h"

namespace lathe::hwmodels {
namespace {

// Above all intervals.
constexpr int kUnknown = 1 << 20;
// Passes over the stages before the best so far is taken. Random ResNet-56 need 4 on average.
constexpr int kMostPasses = 24;
// Passes at the largest interval before the network counts as too large.
constexpr int kPassesAtCap = 4;
constexpr int kRepairPasses = 2;
// Passes below the smallest interval that fits, one at constant prices and one that learns, before it is taken.
constexpr int kPatience = 2;
// Distance of the bounds at which the search is content and leaves the rest to `polish`, in steps of the logarithm: 2 %.
constexpr int kGap = 60;
// How the cost falls with the interval, found from random pipelines: cost ~ interval^(-1 / kCostExponent). Base costs do not fall.
constexpr double kCostExponent = 1.1;
// A choice that costs more than this is not worth repairing.
constexpr float kHopelessCost = 1.02F;
// Relative change of a price by the share of a limit that was used too much: while prices are far off, and later.
constexpr float kFirstSensitivity = 10, kSensitivity = 3;
constexpr int kFirstPasses = 1;
// Stages that choose at the same prices, so that their look-ups overlap.
constexpr std::size_t kBatch = 4;
// Sums of floats may be off by their rounding.
constexpr float kWholeShare = 1 - 1e-5F;
// What a share over a limit costs, in prices, whose sum is 1.
constexpr float kPenalty = 1;
constexpr float kLowestPrice = 1e-3F;
constexpr FourFloats kEqualPrices{1.0F / 3, 1.0F / 3, 1.0F / 3, 0};

constexpr std::size_t kOptions = FrontLine::kOptions;

// Levels of a stage of at most `interval`, of which there is one. No branch depends on what is read, so that searches of many stages
// overlap.
inline std::uint32_t levels_within(const StageView& stage, std::uint16_t interval) {
  std::uint32_t count = 0;
  for (const FrontLine* line = stage.lines; line != stage.lines + stage.cycle_lines; ++line) {
    std::uint16_t in_line = 0;
    for (const std::uint16_t cycles : line->words) in_line = static_cast<std::uint16_t>(in_line + (cycles <= interval ? 1 : 0));
    count += in_line;
  }
  return count;
}

inline std::uint16_t level_cycles(const StageView& stage, std::uint32_t level) {
  return stage.lines[level / FrontLine::kLevels].words[level % FrontLine::kLevels];
}

int log_steps(double ratio) {
  return static_cast<int>(kLogStepsPerOctave * std::log2(ratio));
}

LATHE_INLINE EightFloats units(const FrontLine& front, std::size_t resource) {
  return eight_floats(front.words.data() + resource * kOptions);
}

// Stages of one kind follow each other in a network; a stride of about the golden ratio mixes them.
std::vector<std::uint32_t> mixed_order(std::size_t count) {
  constexpr double kGoldenRatio = 0.618;
  std::vector<std::uint32_t> order;
  std::size_t stride = std::max<std::size_t>(1, static_cast<std::size_t>(kGoldenRatio * static_cast<double>(count)));
  while (count > 0 && std::gcd(stride, count) != 1) ++stride;
  for (std::size_t i = 0, at = 0; i < count; ++i, at = (at + stride) % count) order.push_back(static_cast<std::uint32_t>(at));
  return order;
}

}  // namespace

ResourceVector used_resources(std::span<const StageView> stages, const FoldingSolution& solution) {
  ResourceVector used{};
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const ResourceVector& of_stage = stages[i].options->options[solution.chosen[i]].resources;
    for (std::size_t r = 0; r < kFoldingResources; ++r) used[r] += of_stage[r];
  }
  return used;
}

inline bool FoldingSolver::Use::fits() const {
  return shares[kLut] <= kWholeShare && shares[kBram36] <= kWholeShare && shares[kDsp] <= kWholeShare;
}

void FoldingSolver::start(std::span<const StageView> stages, const ResourceVector& limits, double least_interval) {
  if (order_.size() != stages.size()) order_ = mixed_order(stages.size());
  stages_.clear();
  for (const std::uint32_t i : order_) stages_.push_back(stages[i]);
  for (std::size_t r = 0; r < kFoldingResources; ++r) share_of_unit_[r] = static_cast<float>(FrontLine::kUnits[r] / limits[r]);
  prices_ = kEqualPrices;
  lowest_ = cap_ = log_cycles(std::max(1.0, least_interval));
  for (const StageView& stage : stages_) {
    lowest_ = std::max<LogInterval>(lowest_, stage.least_log_cycles);
    cap_ = std::max<LogInterval>(cap_, stage.most_log_cycles);
  }
  upper_ = kUnknown;
  missed_ = 0;
  levels_.resize(stages.size());
  fronts_.resize(stages.size());
  choices_.resize(stages.size());
  solution_.chosen.resize(stages.size());
  solution_.uses_dsp.resize(stages.size());
}

// Where samples of the stages say that the cost of all is 1: a few, chosen at the lowest interval, then more of them, near the root.
FoldingSolver::LogInterval FoldingSolver::first_interval() {
  LogInterval interval = lowest_;
  for (const std::size_t sample : {std::size_t{12}, std::size_t{24}}) {
    if (stages_.size() < 2 * sample) break;
    find_levels(interval, sample);
    const Use use = choose_by_prices(kFirstSensitivity, sample);
    interval = next_interval(interval, use.cost * static_cast<double>(stages_.size()) / static_cast<double>(sample), /*misses=*/0);
  }
  return interval;
}

void FoldingSolver::search() {
  LogInterval interval = first_interval();
  int passes_at_cap = 0, misses = 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    find_levels(interval, stages_.size());
    Use use = choose_by_prices(pass < kFirstPasses ? kFirstSensitivity : kSensitivity, stages_.size());
    const float cost = use.cost;
    for (int k = 0; k < kRepairPasses && !use.fits() && cost < kHopelessCost; ++k) repair(use);
    if (use.fits()) {
      accept_choices();
    } else {
      ++misses;
      // The same choices stand for all intervals up to the next number of cycles that a stage can have.
      if (interval < cap_) missed_ = std::max(missed_, following_ - 1);
      if (interval >= cap_ && ++passes_at_cap == kPassesAtCap) return;
    }
    if (upper_ <= std::max(lowest_, missed_ + kGap)) return;
    interval = next_interval(interval, cost, misses);
  }
}

// Goes on below the smallest interval that fits, until constant prices prove that no options of the lines can (weak duality: whatever is
// chosen costs at least what the cheapest options cost), or patience ends.
void FoldingSolver::polish() {
  for (int misses = 0; misses < kPatience && upper_ > lowest_;) {
    find_levels(upper_ - 1, stages_.size());
    const bool is_constant = misses % 2 == 0;
    const float sum_of_prices = prices_[0] + prices_[1] + prices_[2];
    Use use = choose_by_prices(is_constant ? 0 : kSensitivity, stages_.size());
    if (is_constant && use.cost > sum_of_prices) return;
    for (int k = 0; k < kRepairPasses && !use.fits(); ++k) repair(use);
    if (use.fits()) {
      accept_choices();
      misses = 0;
    } else {
      ++misses;
    }
  }
}

// Where the cost would be 1, but between the bounds that are known.
FoldingSolver::LogInterval FoldingSolver::next_interval(LogInterval interval, double cost, int misses) const {
  constexpr int kStep = 9;  // away from a bound: 0.3 %
  const int root = interval + static_cast<int>(kCostExponent * kLogStepsPerOctave * std::log2(cost)) + kStep;
  // While nothing has fit, steps grow, so that every network that fits at all ends with a folding.
  if (upper_ == kUnknown) return std::min(std::max({root, lowest_, missed_ + log_steps(1 + std::ldexp(0.003, misses))}), cap_);
  constexpr int kNear = 87;  // 3 %
  if (upper_ < missed_ + kNear) return (upper_ + missed_) / 2;
  return std::max({lowest_, missed_ + kStep, std::min(root, upper_ - 2 * kStep)});
}

LATHE_VECTOR_VERSIONS
void FoldingSolver::find_levels(LogInterval interval, std::size_t count) {
  const auto most = static_cast<std::uint16_t>(interval);
  found_ = lowest_;
  following_ = kUnknown;
  for (std::size_t i = 0; i < count; ++i) {
    const StageView& stage = stages_[i];
    const std::uint32_t levels = levels_within(stage, most);
    fronts_[i] = stage.front(levels - 1);
    __builtin_prefetch(fronts_[i]);
    levels_[i] = level_cycles(stage, levels - 1);
    found_ = std::max<LogInterval>(found_, levels_[i]);
    // Behind the last level stands one that is never reached, but where the levels fill their lines.
    if (levels < stage.cycle_lines * FrontLine::kLevels) following_ = std::min<LogInterval>(following_, level_cycles(stage, levels));
  }
}

LATHE_INLINE FoldingSolver::Choice FoldingSolver::choice_of(const FrontLine& front, std::uint32_t lane) const {
  const std::uint16_t* words = front.words.data() + lane;
  const Shares units{static_cast<float>(words[kLut * kOptions]), static_cast<float>(words[kBram36 * kOptions]),
                     static_cast<float>(words[kDsp * kOptions]), 0};
  return {.shares = units * share_of_unit_, .word = words[FrontLine::kOptionIndex]};
}

LATHE_VECTOR_VERSIONS
FoldingSolver::Use FoldingSolver::choose_by_prices(float sensitivity, std::size_t count) {
  Use use;
  Shares prices = prices_, sum_of_prices{};
  for (std::size_t begin = 0; begin < count; begin += kBatch) {
    const Shares price_of_unit = prices * share_of_unit_;
    const std::size_t end = std::min(begin + kBatch, count);
    for (std::size_t i = begin; i < end; ++i) {
      const FrontLine& front = *fronts_[i];
      choices_[i] =
          choice_of(front, index_of_smallest(price_of_unit[kLut] * units(front, kLut) + price_of_unit[kBram36] * units(front, kBram36) +
                                             price_of_unit[kDsp] * units(front, kDsp)));
      use.shares += choices_[i].shares;
    }
    use.cost = prices_[0] * use.shares[0] + prices_[1] * use.shares[1] + prices_[2] * use.shares[2];
    constexpr Shares kLeastFactor{0.1F, 0.1F, 0.1F, 0.1F};
    const Shares factor = 1 + sensitivity * (use.shares - use.cost);
    sum_of_prices += prices;
    prices = prices_ * (factor > kLeastFactor ? factor : kLeastFactor);
  }
  const float total = std::max(sum_of_prices[0] + sum_of_prices[1] + sum_of_prices[2], std::numeric_limits<float>::min());
  for (std::size_t r = 0; r < kFoldingResources; ++r) prices_[r] = std::max(sum_of_prices[r] / total, kLowestPrice);
  return use;
}

// One pass in which each stage chooses anew, given all others: at the prices, and at a penalty for what is over a limit. Ends as soon as
// nothing is over.
LATHE_VECTOR_VERSIONS
void FoldingSolver::repair(Use& use) {
  for (std::size_t i = 0; i < stages_.size() && !use.fits(); ++i) {
    const Shares others = use.shares - choices_[i].shares;
    EightFloats costs{};
    for (std::size_t r = 0; r < kFoldingResources; ++r) {
      const EightFloats shares = share_of_unit_[r] * units(*fronts_[i], r);
      const EightFloats excess = shares + (others[r] - kWholeShare);
      costs += prices_[r] * shares + kPenalty * (excess > 0 ? excess : EightFloats{});
    }
    choices_[i] = choice_of(*fronts_[i], index_of_smallest(costs));
    use.shares = others + choices_[i].shares;
  }
}

// Looks at no option, only at levels, which are in the cache.
void FoldingSolver::accept_choices() {
  if (found_ >= upper_) return;
  upper_ = found_;
  accepted_levels_ = levels_;
  accepted_fronts_ = fronts_;
  accepted_ = choices_;
}

// Where nothing fits, each stage shows the folding that takes the least share of the chip, whatever its speed.
void FoldingSolver::take_smallest() {
  find_levels(cap_, stages_.size());
  prices_ = kEqualPrices;
  choose_by_prices(/*sensitivity=*/0, stages_.size());
  accept_choices();
}

// Cycles of the slowest option that was accepted. An option may be quicker than its level, and its own cycles are not in the cache: only
// stages that may be the slowest are looked into.
double FoldingSolver::slowest_choice() const {
  LogInterval known = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i)
    known = accepted_[i].is_slowest() ? std::max<LogInterval>(known, accepted_levels_[i]) : known;
  double slowest = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (accepted_levels_[i] < known + (accepted_[i].is_slowest() ? 0 : 1)) continue;
    const StageView& stage = stages_[i];
    slowest = std::max(slowest, accepted_[i].is_slowest() ? stage.cycles(static_cast<std::uint32_t>(accepted_fronts_[i] - stage.front(0)))
                                                          : stage.options->options[accepted_[i].index()].cycles);
  }
  return slowest;
}

const FoldingSolution& FoldingSolver::solve(std::span<const StageView> stages, const ResourceVector& limits, double least_interval) {
  start(stages, limits, least_interval);
  search();
  solution_.is_feasible = upper_ != kUnknown;
  if (solution_.is_feasible) polish();
  if (!solution_.is_feasible) take_smallest();
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    solution_.chosen[order_[i]] = accepted_[i].index();
    solution_.uses_dsp[order_[i]] = accepted_[i].shares[kDsp] > 0;
  }
  if (!solution_.is_feasible) solution_.is_feasible = is_within(used_resources(stages, solution_), limits);
  solution_.initiation_interval = std::max(least_interval, slowest_choice());
  if (stages.size() <= kMostExactStages) improve_exactly(stages, limits, least_interval, solution_);
  return solution_;
}

}  // namespace lathe::hwmodels

#include "hwmodels/folding_solver.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

// The two inner loops are compiled for wider vectors as well, where the compiler can choose between versions when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LATHE_VECTOR_VERSIONS __attribute__((target_clones("avx2", "default")))
#else
#define LATHE_VECTOR_VERSIONS
#endif

namespace lathe::hwmodels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Passes over the stages before the best so far is taken. Random ResNet-56 need 8 on average.
constexpr int kMostPasses = 24;
// Passes at the largest interval before the network counts as too large.
constexpr int kPassesAtCap = 4;
constexpr int kRepairPasses = 3;
// Relative distance of the bounds at which the search is content.
constexpr double kGap = 0.01;
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
// Branch-and-bound nodes a question, reached by none of the small cases of the tests.
constexpr int kMostNodes = 200000;

// Lane numbers stand in the last bits of the costs, which then name the cheapest option by their minimum alone.
constexpr std::uint32_t kLaneBits = 63;

float with_lane(float cost, std::uint32_t lane) {
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(cost) & ~kLaneBits) | lane);
}

struct Lane {
  const FrontBlock* block;
  std::size_t at;
};

// The option of least cost_of(block, lane) >= 0 among the first 64 of the blocks (none has more; see stage_options).
template <typename CostOf>
inline Lane cheapest(const FrontBlock* begin, const FrontBlock* end, const CostOf& cost_of) {
  std::array<float, FrontBlock::kWidth> least;
  least.fill(std::numeric_limits<float>::max());
  std::uint32_t first_lane = 0;
  for (const FrontBlock* block = begin; block != end; ++block, first_lane += FrontBlock::kWidth) {
    for (std::uint32_t j = 0; j < FrontBlock::kWidth; ++j) {
      const float cost = with_lane(cost_of(*block, j), first_lane + j);
      least[j] = cost < least[j] ? cost : least[j];
    }
  }
  for (std::uint32_t half = FrontBlock::kWidth / 2; half > 0; half /= 2) {
    for (std::uint32_t j = 0; j < half; ++j) least[j] = least[j + half] < least[j] ? least[j + half] : least[j];
  }
  const std::uint32_t lane = std::bit_cast<std::uint32_t>(least[0]) & kLaneBits;
  return {begin + lane / FrontBlock::kWidth, lane % FrontBlock::kWidth};
}

// The last level of at most `interval` cycles, which there is. No branch depends on what is read, so searches of many stages overlap.
std::uint32_t level_of(const StageOptions& stage, double interval) {
  const double* cycles = stage.level_cycles.data();
  std::size_t level = 0;
  for (std::size_t count = stage.level_cycles.size(); count > 1;) {
    const std::size_t half = count / 2;
    level += cycles[level + half] <= interval ? half : 0;
    count -= half;
  }
  return static_cast<std::uint32_t>(level);
}

bool fits(const ResourceVector& used, const ResourceVector& limits) {
  return used[kLut] <= limits[kLut] && used[kBram36] <= limits[kBram36] && used[kDsp] <= limits[kDsp];
}

ResourceVector sum(const ResourceVector& a, const ResourceVector& b) {
  return {a[kLut] + b[kLut], a[kBram36] + b[kBram36], a[kDsp] + b[kDsp]};
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

float FoldingSolver::Use::largest() const {
  return std::max({shares[0], shares[1], shares[2]});
}

void FoldingSolver::start() {
  lowest_ = cap_ = least_interval_;
  for (const StageOptions* stage : stages_) {
    lowest_ = std::max(lowest_, stage->level_cycles.front());
    cap_ = std::max(cap_, stage->level_cycles.back());
  }
  upper_ = kInfinity;
  for (std::size_t r = 0; r < kFoldingResources; ++r) share_of_unit_[r] = static_cast<float>(FrontBlock::kUnits[r] / limits_[r]);
  prices_.fill(1.0F / kFoldingResources);
  if (order_.size() != stages_.size()) order_ = mixed_order(stages_.size());
  level_.assign(stages_.size(), 0);
  choices_.resize(stages_.size());
  solution_.is_feasible = false;
  solution_.chosen.resize(stages_.size());
}

// Where some of the stages, chosen at the lowest interval, say that the cost of all is 1.
double FoldingSolver::first_interval() {
  constexpr std::size_t kSample = 12;
  if (order_.size() < 2 * kSample) return lowest_;
  const Use use = choose_by_prices(lowest_, kFirstSensitivity, kSample);
  return next_interval(lowest_, use.cost * static_cast<double>(order_.size()) / kSample, /*largest_miss=*/lowest_, /*misses=*/0);
}

// Asks the memory for what the passes near this interval will read, of all stages at once. They would wait for one stage after another.
void FoldingSolver::fetch_levels(double interval) {
  constexpr std::uint32_t kNeighbours = 2;  // levels on either side
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const StageOptions& stage = *stages_[i];
    level_[i] = level_of(stage, interval);
    const auto levels = static_cast<std::uint32_t>(stage.level_cycles.size());
    const FrontBlock* end = stage.blocks.data() + stage.level_begin[std::min(level_[i] + 1 + kNeighbours, levels)];
    for (const FrontBlock* block = stage.blocks.data() + stage.level_begin[level_[i] - std::min(level_[i], kNeighbours)]; block != end;
         ++block)
      __builtin_prefetch(block);
  }
}

void FoldingSolver::search_by_prices() {
  double interval = first_interval(), largest_miss = 0;
  fetch_levels(interval);
  int passes_at_cap = 0, misses = 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    Use use = choose_by_prices(interval, pass < kFirstPasses ? kFirstSensitivity : kSensitivity, order_.size());
    const float cost = use.cost;
    for (int k = 0; k < kRepairPasses && use.largest() > kWholeShare && cost < kHopelessCost; ++k) repair(use);
    if (use.largest() <= kWholeShare) {
      accept_choices();
    } else {
      ++misses;
      largest_miss = std::max(largest_miss, interval);
      if (interval >= cap_ && ++passes_at_cap == kPassesAtCap) return;
    }
    if (upper_ <= std::max(lowest_, largest_miss * (1 + kGap))) return;
    interval = next_interval(interval, cost, largest_miss, misses);
  }
}

// Where the cost would be 1, but between the bounds that are known.
double FoldingSolver::next_interval(double interval, double cost, double largest_miss, int misses) const {
  constexpr double kStep = 0.003;  // away from a bound
  const double root = interval * std::pow(cost, kCostExponent) * (1 + kStep);
  const double least = std::max(lowest_, largest_miss * (1 + kStep));
  // While nothing has fit, steps grow, so that every network that fits at all ends with a folding.
  if (upper_ == kInfinity) return std::min(std::max(root, largest_miss * (1 + std::ldexp(kStep, misses))), cap_);
  constexpr double kNear = 1.03;
  if (upper_ < kNear * largest_miss) return std::sqrt(upper_ * largest_miss);
  return std::max(least, std::min(root, upper_ * (1 - 2 * kStep)));
}

LATHE_VECTOR_VERSIONS
FoldingSolver::Use FoldingSolver::choose_by_prices(double interval, float sensitivity, std::size_t count) {
  Use use;
  Shares prices = prices_, sum_of_prices{};
  for (std::size_t begin = 0; begin < count; begin += kBatch) {
    const float lut = prices[kLut] * share_of_unit_[kLut], bram = prices[kBram36] * share_of_unit_[kBram36],
                dsp = prices[kDsp] * share_of_unit_[kDsp];
    const std::size_t end = std::min(begin + kBatch, count);
    for (std::size_t at = begin; at < end; ++at) {
      const std::uint32_t i = order_[at];
      const StageOptions& stage = *stages_[i];
      std::uint32_t& level = level_[i];
      while (level + 1 < stage.level_cycles.size() && stage.level_cycles[level + 1] <= interval) ++level;
      while (level > 0 && stage.level_cycles[level] > interval) --level;
      const Lane best = cheapest(stage.blocks.data() + stage.level_begin[level], stage.blocks.data() + stage.level_begin[level + 1],
                                 [=](const FrontBlock& b, std::uint32_t j) {
                                   return lut * static_cast<float>(b.resources[kLut][j]) +
                                          bram * static_cast<float>(b.resources[kBram36][j]) +
                                          dsp * static_cast<float>(b.resources[kDsp][j]);
                                 });
      choices_[i].option = best.block->option[best.at];
      for (std::size_t r = 0; r < kFoldingResources; ++r) {
        choices_[i].shares[r] = static_cast<float>(best.block->resources[r][best.at]) * share_of_unit_[r];
        use.shares[r] += choices_[i].shares[r];
      }
    }
    use.cost = prices_[0] * use.shares[0] + prices_[1] * use.shares[1] + prices_[2] * use.shares[2];
    for (std::size_t r = 0; r < kFoldingResources; ++r) {
      constexpr float kLeastFactor = 0.1F;
      sum_of_prices[r] += prices[r];
      prices[r] = prices_[r] * std::max(kLeastFactor, 1 + sensitivity * (use.shares[r] - use.cost));
    }
  }
  const float total = std::max(sum_of_prices[0] + sum_of_prices[1] + sum_of_prices[2], std::numeric_limits<float>::min());
  for (std::size_t r = 0; r < kFoldingResources; ++r) prices_[r] = std::max(sum_of_prices[r] / total, kLowestPrice);
  return use;
}

// One pass in which each stage chooses anew, given all others: at the prices, and at a penalty for what is over a limit. Ends as soon as
// nothing is over.
LATHE_VECTOR_VERSIONS
void FoldingSolver::repair(Use& use) {
  for (const std::uint32_t i : order_) {
    if (use.largest() <= kWholeShare) return;
    const StageOptions& stage = *stages_[i];
    Choice& choice = choices_[i];
    Shares over;  // the limits, by all other stages
    for (std::size_t r = 0; r < kFoldingResources; ++r) over[r] = use.shares[r] - choice.shares[r] - kWholeShare;
    const std::uint32_t level = level_[i];
    const Lane best = cheapest(stage.blocks.data() + stage.level_begin[level], stage.blocks.data() + stage.level_begin[level + 1],
                               [&, units = share_of_unit_, prices = prices_](const FrontBlock& block, std::uint32_t j) {
                                 float cost = 0;
                                 for (std::size_t r = 0; r < kFoldingResources; ++r) {
                                   const float share = units[r] * static_cast<float>(block.resources[r][j]);
                                   const float excess = over[r] + share;
                                   cost += prices[r] * share + kPenalty * (excess > 0 ? excess : 0);
                                 }
                                 return cost;
                               });
    choice.option = best.block->option[best.at];
    for (std::size_t r = 0; r < kFoldingResources; ++r) {
      choice.shares[r] = static_cast<float>(best.block->resources[r][best.at]) * share_of_unit_[r];
      use.shares[r] = over[r] + kWholeShare + choice.shares[r];
    }
  }
}

// Looks at no option, only at levels, which are in the cache: `conclude` sums up what was chosen in the end.
void FoldingSolver::accept_choices() {
  double slowest = least_interval_;
  for (std::size_t i = 0; i < stages_.size(); ++i) slowest = std::max(slowest, stages_[i]->level_cycles[level_[i]]);
  if (slowest >= upper_) return;
  upper_ = slowest;
  for (std::size_t i = 0; i < stages_.size(); ++i) solution_.chosen[i] = static_cast<int>(choices_[i].option);
}

// Bisection over the numbers of cycles that stages can have.
void FoldingSolver::search_exactly() {
  std::vector<double> intervals{lowest_};
  for (const StageOptions* stage : stages_) {
    for (const double cycles : stage->level_cycles) {
      if (cycles > lowest_ && cycles < upper_) intervals.push_back(cycles);
    }
  }
  std::sort(intervals.begin(), intervals.end());
  std::size_t low = 0, high = intervals.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (fits_exactly(intervals[middle])) {
      accept_choices();
      high = middle;
    } else {
      low = middle + 1;
    }
  }
}

bool FoldingSolver::fits_exactly(double interval) {
  fronts_.assign(stages_.size(), {});
  rest_.assign(stages_.size() + 1, ResourceVector{});
  for (std::size_t i = stages_.size(); i-- > 0;) {
    const StageOptions& stage = *stages_[i];
    level_[i] = level_of(stage, interval);
    ResourceVector least{kInfinity, kInfinity, kInfinity};
    for (std::uint32_t b = stage.level_begin[level_[i]]; b < stage.level_begin[level_[i] + 1]; ++b) {
      const FrontBlock& block = stage.blocks[b];
      for (std::size_t j = 0; j < FrontBlock::kWidth && block.resources[kLut][j] < FrontBlock::kNever; ++j) {
        fronts_[i].push_back(static_cast<int>(block.option[j]));
        const ResourceVector& resources = stage.options[block.option[j]].resources;
        for (std::size_t r = 0; r < kFoldingResources; ++r) least[r] = std::min(least[r], resources[r]);
      }
    }
    rest_[i] = sum(rest_[i + 1], least);
  }
  nodes_ = 0;
  return descend(0, {});
}

// Chooses stages from `stage` on; `used` by the ones before.
bool FoldingSolver::descend(std::size_t stage, const ResourceVector& used) {
  if (stage == stages_.size()) return true;
  if (++nodes_ > kMostNodes) return false;
  for (const int option : fronts_[stage]) {
    const ResourceVector next = sum(used, stages_[stage]->options[static_cast<std::size_t>(option)].resources);
    if (!fits(sum(next, rest_[stage + 1]), limits_)) continue;
    choices_[stage].option = static_cast<std::uint32_t>(option);
    if (descend(stage + 1, next)) return true;
  }
  return false;
}

// Where nothing fits, each stage shows the folding that takes the least share of the chip, whatever its speed.
void FoldingSolver::conclude() {
  solution_.is_feasible = upper_ < kInfinity;
  solution_.used = {};
  solution_.initiation_interval = least_interval_;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const std::vector<FoldingOption>& options = stages_[i]->options;
    const auto share = [&](const FoldingOption& option) {
      return option.resources[kLut] / limits_[kLut] + option.resources[kBram36] / limits_[kBram36] + option.resources[kDsp] / limits_[kDsp];
    };
    if (!solution_.is_feasible) {
      const auto smallest = std::min_element(options.begin(), options.end(),
                                             [&](const FoldingOption& a, const FoldingOption& b) { return share(a) < share(b); });
      solution_.chosen[i] = static_cast<int>(smallest - options.begin());
    }
    const FoldingOption& option = options[static_cast<std::size_t>(solution_.chosen[i])];
    solution_.used = sum(solution_.used, option.resources);
    solution_.initiation_interval = std::max(solution_.initiation_interval, option.cycles);
  }
}

const FoldingSolution& FoldingSolver::solve(std::span<const StageOptions* const> stages, const ResourceVector& limits,
                                            double least_interval) {
  stages_ = stages;
  limits_ = limits;
  least_interval_ = least_interval;
  start();
  search_by_prices();
  if (stages.size() <= kExactStages) search_exactly();
  conclude();
  return solution_;
}

}  // namespace lathe::hwmodels

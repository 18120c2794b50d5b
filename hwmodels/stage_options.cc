#include "hwmodels/stage_options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>

#include "models/base/check.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lathe::hwmodels {
namespace {

// Prices at which the options of a level are kept that are the cheapest, in shares of the chip, from the most to the least important:
// equal ones, one resource alone (almost, so that of equal options the smaller one is taken), two resources, and between.
constexpr std::size_t kPrices = 22;
constexpr std::array<std::array<float, kFoldingResources>, kPrices> kPriceGrid{{
    {1, 1, 1}, {1, 0.01F, 0.01F}, {0.01F, 1, 0.01F}, {0.01F, 0.01F, 1}, {1, 0.1F, 1},  {1, 1, 0.1F},  {0.1F, 1, 1}, {2, 1, 1},
    {1, 2, 1}, {1, 1, 2},         {3, 0.5F, 1},      {1, 0.5F, 3},      {3, 1, 0.25F}, {0.25F, 1, 3}, {4, 1, 1},    {1, 4, 1},
    {1, 1, 4}, {1, 3, 0.25F},     {0.25F, 3, 1},     {8, 0.5F, 1},      {1, 0.5F, 8},  {2, 1, 2},
}};

bool needs_no_more(const FoldingOption& a, const FoldingOption& b) {
  for (int r = 0; r < kFoldingResources; ++r) {
    if (a.resources[r] > b.resources[r]) return false;
  }
  return true;
}

double units_of(const FoldingOption& option, std::size_t resource) {
  return std::ceil(option.resources[resource] / FrontLine::kUnits[resource]);
}

bool fits_in_a_line(const FoldingOption& option) {
  for (std::size_t r = 0; r < kFoldingResources; ++r) {
    if (units_of(option, r) > UINT16_MAX) return false;
  }
  return true;
}

// Walks the options by rising cycles, keeping the front of resources: an option that the front covers is beaten in cycles too.
void add_options(std::vector<FoldingOption> all, StageOptions& result) {
  std::erase_if(all, [](const FoldingOption& option) { return !fits_in_a_line(option); });
  std::stable_sort(all.begin(), all.end(), [](const FoldingOption& a, const FoldingOption& b) {
    return a.cycles != b.cycles ? a.cycles < b.cycles : a.resources < b.resources;
  });
  constexpr std::uint32_t kNever = ~0U;
  std::vector<std::size_t> front;
  for (const FoldingOption& option : all) {
    if (std::any_of(front.begin(), front.end(), [&](std::size_t j) { return needs_no_more(result.options[j], option); })) continue;
    if (result.level_cycles.empty() || option.cycles > result.level_cycles.back()) result.level_cycles.push_back(option.cycles);
    const auto level = static_cast<std::uint32_t>(result.level_cycles.size() - 1);
    std::erase_if(front, [&](std::size_t j) {
      if (!needs_no_more(option, result.options[j])) return false;
      result.beaten_from[j] = level;
      return true;
    });
    front.push_back(result.options.size());
    result.options.push_back(option);
    result.beaten_from.push_back(kNever);
  }
  LATHE_CHECK_LE(result.options.size(), FrontLine::kIsSlowest) << "options of one stage";
}

void add_log_lines(StageOptions& result) {
  const std::size_t levels = result.level_cycles.size();
  result.lines.resize((levels + FrontLine::kLevels - 1) / FrontLine::kLevels);
  for (FrontLine& line : result.lines) line.words.fill(UINT16_MAX);
  for (std::size_t l = 0; l < levels; ++l)
    result.lines[l / FrontLine::kLevels].words[l % FrontLine::kLevels] = log_cycles(result.level_cycles[l]);
}

// The cheapest option so far at each price.
struct CheapestOptions {
  CheapestOptions() { costs.fill(std::numeric_limits<float>::max()); }
  void offer(const FoldingOption& option, std::uint16_t index, const ResourceVector& chip) {
    std::array<float, kFoldingResources> shares;
    for (std::size_t r = 0; r < kFoldingResources; ++r) shares[r] = static_cast<float>(option.resources[r] / chip[r]);
    for (std::size_t p = 0; p < kPrices; ++p) {
      const float cost = kPriceGrid[p][0] * shares[0] + kPriceGrid[p][1] * shares[1] + kPriceGrid[p][2] * shares[2];
      if (cost >= costs[p]) continue;
      costs[p] = cost;
      options[p] = index;
    }
  }
  std::array<float, kPrices> costs;
  std::array<std::uint16_t, kPrices> options;
};

// The cheapest options, then others of the front, the slowest first. A line that is not full repeats its first option.
std::array<std::uint16_t, FrontLine::kOptions> kept_options(const CheapestOptions& cheapest, const std::vector<std::uint16_t>& front) {
  std::array<std::uint16_t, FrontLine::kOptions> kept;
  kept.fill(cheapest.options.front());
  std::size_t count = 1;
  const auto keep = [&](std::uint16_t option) {
    if (count < kept.size() && std::find(kept.begin(), kept.end(), option) == kept.end()) kept[count++] = option;
  };
  for (const std::uint16_t option : cheapest.options) keep(option);
  for (std::size_t i = front.size(); i-- > 0;) keep(front[i]);
  return kept;
}

FrontLine front_line(const std::array<std::uint16_t, FrontLine::kOptions>& kept, const std::vector<FoldingOption>& options,
                     double level_cycles) {
  FrontLine line;
  for (std::size_t j = 0; j < kept.size(); ++j) {
    const bool is_slowest = options[kept[j]].cycles == level_cycles;
    line.words[FrontLine::kOptionIndex + j] = static_cast<std::uint16_t>(kept[j] | (is_slowest ? FrontLine::kIsSlowest : 0));
    for (std::size_t r = 0; r < kFoldingResources; ++r)
      line.words[r * FrontLine::kOptions + j] = static_cast<std::uint16_t>(units_of(options[kept[j]], r));
  }
  return line;
}

void add_front_lines(const ResourceVector& chip, StageOptions& result) {
  CheapestOptions cheapest;
  std::vector<std::uint16_t> front;
  std::size_t option = 0;
  for (std::uint32_t level = 0; level < result.level_cycles.size(); ++level) {
    const double cycles = result.level_cycles[level];
    for (; option < result.options.size() && result.options[option].cycles <= cycles; ++option) {
      front.push_back(static_cast<std::uint16_t>(option));
      cheapest.offer(result.options[option], front.back(), chip);
    }
    std::erase_if(front, [&](std::uint16_t i) { return result.beaten_from[i] <= level; });
    result.lines.push_back(front_line(kept_options(cheapest, front), result.options, cycles));
  }
}

void add_cycle_lines(StageOptions& result) {
  constexpr std::size_t kInLine = sizeof(FrontLine) / sizeof(double);
  for (std::size_t l = 0; l < result.level_cycles.size(); l += kInLine) {
    std::array<double, kInLine> cycles{};
    std::copy_n(result.level_cycles.begin() + static_cast<std::ptrdiff_t>(l), std::min(kInLine, result.level_cycles.size() - l),
                cycles.begin());
    std::memcpy(&result.lines.emplace_back(), &cycles, sizeof(FrontLine));
  }
}

// Large pages where the system has them: a search touches a few lines of many stages, whose addresses would else be looked up in memory
// too.
class LargePages final : public std::pmr::memory_resource {
  static constexpr std::size_t kPageBytes = std::size_t{2} << 20;

  void* do_allocate(std::size_t bytes, std::size_t) override {
    const std::size_t rounded = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    void* memory = std::aligned_alloc(kPageBytes, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
    madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override {
    std::free(memory);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override {
    return this == &other;
  }
};

}  // namespace

std::uint16_t log_cycles(double cycles) {
  return static_cast<std::uint16_t>(std::clamp(std::ceil(kLogStepsPerOctave * std::log2(cycles)), 0.0, double{kMostLogCycles}));
}

double StageView::cycles(std::uint32_t level) const {
  double cycles;
  std::memcpy(&cycles, reinterpret_cast<const char*>(front(levels)) + level * sizeof(cycles), sizeof(cycles));
  return cycles;
}

StageView StageOptions::view() const {
  return {.lines = lines.data(),
          .options = this,
          .cycle_lines = static_cast<std::uint16_t>((level_cycles.size() + FrontLine::kLevels - 1) / FrontLine::kLevels),
          .levels = static_cast<std::uint16_t>(level_cycles.size()),
          .least_log_cycles = log_cycles(level_cycles.front()),
          .most_log_cycles = log_cycles(level_cycles.back())};
}

StageOptions::StageOptions(const StageOptions& other, std::pmr::memory_resource* memory)
    : options(other.options), level_cycles(other.level_cycles), beaten_from(other.beaten_from), lines(other.lines, memory) {}

StageOptions stage_options(const DataflowStage& stage, const DataflowParameters& parameters) {
  StageOptions result;
  add_options(folding_options(stage, parameters), result);
  add_log_lines(result);
  add_front_lines(parameters.chip, result);
  add_cycle_lines(result);
  return result;
}

StageOptionsCache::StageOptionsCache() : pages_(std::make_unique<LargePages>()), lines_(std::size_t{2} << 20, pages_.get()) {}
StageOptionsCache::~StageOptionsCache() = default;

const StageOptions& StageOptionsCache::get(const DataflowStage& stage, const DataflowParameters& parameters) {
  // Only stages without multipliers depend on the width of their output.
  const Key key{{stage.pixels, stage.groups, stage.n, stage.k, stage.window, stage.buffer_bits},
                {stage.has_multipliers ? 1 : 0, stage.weight_bits, stage.activation_bits, stage.has_multipliers ? 0 : stage.output_bits}};
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  const StageOptions made = stage_options(stage, parameters);
  const std::unique_lock lock(mutex_);
  return known_.try_emplace(key, made, &lines_).first->second;
}

}  // namespace lathe::hwmodels

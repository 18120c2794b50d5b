#include "hwmodels/stage_options.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "models/base/check.h"
#include "models/base/vector_versions.h"

namespace lathe::hwmodels {
namespace {

// Prices at which the options of a level are kept that are the cheapest, in shares of the chip, from the most to the least important:
// equal ones, one resource alone (almost, so that of equal options the smaller one is taken), two resources, and between.
constexpr std::size_t kPrices = 24;
constexpr float kPriceGrid[kPrices][kFoldingResources] = {
    {1, 1, 1}, {1, 0.01F, 0.01F}, {0.01F, 1, 0.01F}, {0.01F, 0.01F, 1}, {1, 0.1F, 1},  {1, 1, 0.1F},  {0.1F, 1, 1}, {2, 1, 1},
    {1, 2, 1}, {1, 1, 2},         {3, 0.5F, 1},      {1, 0.5F, 3},      {3, 1, 0.25F}, {0.25F, 1, 3}, {4, 1, 1},    {1, 4, 1},
    {1, 1, 4}, {1, 3, 0.25F},     {0.25F, 3, 1},     {8, 0.5F, 1},      {1, 0.5F, 8},  {2, 1, 2},     {6, 1, 4},    {4, 1, 6}};

using Prices = std::array<float, kPrices>;
constexpr Prices prices_of(ResourceIndex resource) {
  Prices prices{};
  for (std::size_t p = 0; p < kPrices; ++p) prices[p] = kPriceGrid[p][resource];
  return prices;
}
constexpr Prices kLutPrices = prices_of(kLut), kBramPrices = prices_of(kBram36), kDspPrices = prices_of(kDsp);

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
  std::vector<std::pair<ResourceVector, std::size_t>> front;  // with the index
  for (const FoldingOption& option : all) {
    const auto covers = [&](const auto& other) { return is_within(other.first, option.resources); };
    // What beats an option is mostly one of the last before it.
    if (std::any_of(front.rbegin(), front.rend(), covers)) continue;
    if (result.level_cycles.empty() || option.cycles > result.level_cycles.back()) result.level_cycles.push_back(option.cycles);
    const auto level = static_cast<std::uint32_t>(result.level_cycles.size() - 1);
    std::erase_if(front, [&](const auto& other) {
      if (!is_within(option.resources, other.first)) return false;
      result.beaten_from[other.second] = level;
      return true;
    });
    front.emplace_back(option.resources, result.options.size());
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
  CheapestOptions() {
    costs.fill(std::numeric_limits<float>::max());
    options.fill(0);
  }
  Prices costs;
  std::array<std::uint32_t, kPrices> options;
};

LATHE_VECTOR_VERSIONS
void offer(const FoldingOption& option, std::uint32_t index, const ResourceVector& chip, CheapestOptions& cheapest) {
  const auto lut = static_cast<float>(option.resources[kLut] / chip[kLut]),
             bram = static_cast<float>(option.resources[kBram36] / chip[kBram36]),
             dsp = static_cast<float>(option.resources[kDsp] / chip[kDsp]);
  for (std::size_t p = 0; p < kPrices; ++p) {
    const float cost = kLutPrices[p] * lut + kBramPrices[p] * bram + kDspPrices[p] * dsp;
    const bool is_less = cost < cheapest.costs[p];
    cheapest.costs[p] = is_less ? cost : cheapest.costs[p];
    cheapest.options[p] = is_less ? index : cheapest.options[p];
  }
}

// The cheapest options, then others of the front, the slowest first. A line that is not full repeats its first option.
std::array<std::uint32_t, FrontLine::kOptions> kept_options(const CheapestOptions& cheapest, const std::vector<std::uint32_t>& front) {
  std::array<std::uint32_t, FrontLine::kOptions> kept;
  kept.fill(cheapest.options.front());
  std::size_t count = 1;
  const auto keep = [&](std::uint32_t option) {
    if (count < kept.size() && std::find(kept.begin(), kept.end(), option) == kept.end()) kept[count++] = option;
  };
  for (const std::uint32_t option : cheapest.options) keep(option);
  for (std::size_t i = front.size(); i-- > 0;) keep(front[i]);
  return kept;
}

using Units = std::array<std::uint16_t, kFoldingResources>;

// kept: indices of options.
FrontLine front_line(const std::array<std::uint32_t, FrontLine::kOptions>& kept, const std::vector<Units>& units,
                     std::uint32_t first_of_level) {
  FrontLine line;
  for (std::size_t j = 0; j < kept.size(); ++j) {
    line.words[FrontLine::kOptionIndex + j] = static_cast<std::uint16_t>(kept[j] | (kept[j] >= first_of_level ? FrontLine::kIsSlowest : 0));
    for (std::size_t r = 0; r < kFoldingResources; ++r) line.words[r * FrontLine::kOptions + j] = units[kept[j]][r];
  }
  return line;
}

void add_front_lines(const ResourceVector& chip, StageOptions& result) {
  CheapestOptions cheapest;
  std::vector<Units> units;
  std::vector<std::uint32_t> front;
  for (std::uint32_t level = 0; level < result.level_cycles.size(); ++level) {
    const auto first = static_cast<std::uint32_t>(units.size());
    for (auto i = first; i < result.options.size() && result.options[i].cycles <= result.level_cycles[level]; ++i) {
      const FoldingOption& option = result.options[i];
      offer(option, i, chip, cheapest);
      front.push_back(i);
      units.push_back({});
      for (std::size_t r = 0; r < kFoldingResources; ++r) units.back()[r] = static_cast<std::uint16_t>(units_of(option, r));
    }
    std::erase_if(front, [&](std::uint32_t i) { return result.beaten_from[i] <= level; });
    result.lines.push_back(front_line(kept_options(cheapest, front), units, first));
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

}  // namespace lathe::hwmodels

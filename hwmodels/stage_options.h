// The foldings of a stage that are worth choosing, and of those the few that a search by prices needs, packed for the cache.
//
// A search asks for the cheapest option of at most so many cycles, at prices of the three resources. Cheapest at some prices are only the
// corners of the convex hull of the options; the eight that stand for the widest range of prices are kept for each number of cycles, in
// one line of the cache. The numbers of cycles stand before them as logarithms of 16 bits. So a stage is one piece of memory of 1 to 5 kB,
// of which a search reads two lines and one for each number of cycles that it tries.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "hwmodels/dataflow_stage.h"

namespace lathe::hwmodels {

// A number of cycles as ceil(2047 log2(cycles)), in steps of 0.034 %; at most kMostLogCycles (2^32 cycles).
inline constexpr double kLogStepsPerOctave = 2047;
inline constexpr std::uint16_t kMostLogCycles = 0xFFFE;
std::uint16_t log_cycles(double cycles);

// Either the logarithms of 32 numbers of cycles, rising, filled up with 0xFFFF; or eight such numbers as they are; or eight options side by
// side: of each its look-up tables, then block RAMs, then DSP slices in kUnits, rounded up (what fits in units fits in truth), then its
// index into StageOptions::options, with kIsSlowest where it takes all cycles of the level.
struct alignas(64) FrontLine {
  static constexpr std::size_t kLevels = 32, kOptions = 8;
  static constexpr ResourceVector kUnits{8, 0.5, 1};
  static constexpr std::size_t kOptionIndex = kFoldingResources * kOptions;
  static constexpr std::uint16_t kIsSlowest = 0x8000;
  std::array<std::uint16_t, kLevels> words;
};

struct StageOptions;

// What a search reads first of a stage.
struct StageView {
  // Those of the logarithms; the options of each level (number of cycles); the cycles of the levels.
  const FrontLine* lines = nullptr;
  const StageOptions* options = nullptr;
  std::uint16_t cycle_lines = 0, levels = 0;
  std::uint16_t least_log_cycles = 0, most_log_cycles = 0;

  const FrontLine* front(std::uint32_t level) const { return lines + cycle_lines + level; }
  double cycles(std::uint32_t level) const;
};

// The foldings of a stage that no other one beats in cycles and every resource.
struct StageOptions {
  StageOptions() = default;
  // memory: of `lines`.
  StageOptions(const StageOptions& other, std::pmr::memory_resource* memory);
  StageView view() const;

  std::vector<FoldingOption> options;      // by rising cycles, each number of cycles a level
  std::vector<double> level_cycles;        // rising
  std::vector<std::uint32_t> beaten_from;  // by option: the first level one of whose options needs no more of any resource
  std::pmr::vector<FrontLine> lines;       // see StageView
};

// Options too large for a line (524,280 look-up tables) are left out.
StageOptions stage_options(const DataflowStage& stage, const DataflowParameters& parameters);

}  // namespace lathe::hwmodels

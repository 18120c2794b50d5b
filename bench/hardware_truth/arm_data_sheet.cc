#include "bench/hardware_truth/arm_data_sheet.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <regex>
#include <sstream>
#include <utility>

#include "bench/measurements/csv.h"
#include "models/base/check.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;
using measurements::number;

constexpr double kGiga = 1e9, kMega = 1e6, kKibi = 1024;

// Where a heading names nothing that is known.
constexpr char kUnknownBoard[] = "Cortex-A72 1.8 x 4";

// Dispatch of a layer, and one level of the tree that joins its threads (assumptions: 3 and 4 us at 1.5 GHz).
constexpr double kOverheadCycles = 4500, kThreadOverheadCycles = 6000;

// Without a figure for the chip: two cores saturate the memory of a small chip, a quarter of the cores that of a server.
constexpr double kSaturatingCores = 2, kSaturatingShare = 0.25;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// "Cortex A7" and "cortex-a7" are one core.
std::string letters_and_digits(const std::string& text) {
  std::string kept;
  std::copy_if(text.begin(), text.end(), std::back_inserter(kept), [](unsigned char c) { return std::isalnum(c) != 0; });
  return lower(kept);
}

double chip_bandwidth(const std::vector<ArmCluster>& clusters) {
  const ArmCluster& fastest = clusters.front();
  return fastest.core.dram_bytes_per_s * std::max(kSaturatingCores, kSaturatingShare * fastest.cores);
}

double speed(const ArmCluster& cluster) {
  return cluster.clock_hz * cluster.core.fp32_macs_per_cycle;
}

}  // namespace

ArmDataSheets::ArmDataSheets() {
  const std::string folder = std::string(LATHE_SOURCE_DIR) + "/bench/hardware_truth/arm_data_sheets/";
  for (const CsvRow& row : measurements::read_csv(folder + "cores.csv")) {
    cores_.push_back({.name = row.at("core"),
                      .fp32_macs_per_cycle = number(row, "fp32_macs_per_cycle"),
                      .has_fp16 = number(row, "has_fp16") > 0,
                      .has_dot_product = number(row, "has_dot_product") > 0,
                      .out_of_order = number(row, "out_of_order"),
                      .dram_bytes_per_s = number(row, "core_dram_gb_per_s") * kGiga,
                      .last_level_cache_bytes = number(row, "last_level_cache_kib") * kKibi});
  }
  for (const CsvRow& row : measurements::read_csv(folder + "chips.csv")) {
    ArmBoard board{.clusters = clusters_of(row.at("clusters"))};
    LATHE_CHECK(!board.clusters.empty()) << row.at("pattern") << " names no core of cores.csv";
    board.dram_bytes_per_s = number(row, "dram_gb_per_s", chip_bandwidth(board.clusters) / kGiga) * kGiga;
    chips_.push_back({row.at("pattern"), std::move(board)});
  }
}

const ArmCore* ArmDataSheets::find_core(const std::string& word) const {
  const std::string wanted = letters_and_digits(word);
  const ArmCore* longest = nullptr;
  for (const ArmCore& core : cores_) {
    const std::string name = letters_and_digits(core.name);
    // "ftc663" is an FTC; "a78" is no A7.
    const bool is_match = wanted == name || (wanted.starts_with(name) && std::isdigit(static_cast<unsigned char>(name.back())) == 0);
    if (is_match && (longest == nullptr || core.name.size() > longest->name.size())) longest = &core;
  }
  return longest;
}

// Clocks belong to the core named last before them; a GPU's clock to none. Kryo is a core of its own without a number ("Kryo 2.35GHz");
// Kryo 485 and its like are Cortex cores, which the chip says.
std::vector<ArmCluster> ArmDataSheets::clusters_of(const std::string& title) const {
  static const std::regex pattern(
      "((?:cortex|neoverse)[- ]?[anvx]\\d+|ftc\\d*|taishan|denver|carmel|mongoose|oryon|kryo(?=\\s\\d\\.)|apple[- ](?:a\\d+|m\\d|e))"
      "|(mali|adreno|videocore|ampere|powervr|vulkan)"
      "|(\\d+(?:\\.\\d+)?)\\s*([gm]hz)?(?:\\s*[x*]\\s*(\\d+))?");
  const std::string text = lower(title);
  std::vector<ArmCluster> clusters;
  const ArmCore* core = nullptr;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    if ((*match)[1].matched) core = find_core((*match)[1].str());
    if ((*match)[2].matched) core = nullptr;
    const bool has_unit = (*match)[4].matched, has_count = (*match)[5].matched;
    if (core == nullptr || !(*match)[3].matched || !(has_unit || has_count)) continue;
    const double unit = has_unit && (*match)[4].str().front() == 'm' ? kMega : kGiga;
    clusters.push_back({*core, std::stod((*match)[3].str()) * unit, has_count ? std::stoi((*match)[5].str()) : 1});
  }
  std::stable_sort(clusters.begin(), clusters.end(), [](const ArmCluster& a, const ArmCluster& b) { return speed(a) > speed(b); });
  return clusters;
}

const ArmDataSheets::Chip* ArmDataSheets::chip_of(const std::string& title) const {
  const std::string text = lower(title);
  const auto found =
      std::find_if(chips_.begin(), chips_.end(), [&](const Chip& chip) { return text.find(chip.pattern) != std::string::npos; });
  return found == chips_.end() ? nullptr : &*found;
}

ArmBoard ArmDataSheets::board(const std::string& title) const {
  ArmBoard board{.clusters = clusters_of(title)};
  const Chip* chip = chip_of(title);
  if (board.clusters.empty()) board.clusters = chip != nullptr ? chip->board.clusters : clusters_of(kUnknownBoard);
  board.dram_bytes_per_s = chip != nullptr ? chip->board.dram_bytes_per_s : chip_bandwidth(board.clusters);
  return board;
}

ArmRun run_on(const ArmBoard& board, int threads, CoreChoice choice) {
  const auto [slowest_clock, fastest_clock] = std::minmax_element(
      board.clusters.begin(), board.clusters.end(), [](const ArmCluster& a, const ArmCluster& b) { return a.clock_hz < b.clock_hz; });
  // As ncnn: a core is big where its clock is nearer to the fastest's.
  const double middle = (slowest_clock->clock_hz + fastest_clock->clock_hz) / 2;
  std::vector<ArmCluster> usable;
  for (const ArmCluster& cluster : board.clusters) {
    const bool is_big = cluster.clock_hz >= middle;
    if (choice == CoreChoice::kAll || is_big == (choice == CoreChoice::kBig)) usable.push_back(cluster);
  }
  if (usable.empty()) usable = board.clusters;
  int taken = 0;
  for (const ArmCluster& cluster : usable) {
    taken += cluster.cores;
    if (taken >= threads) return {cluster, threads};
  }
  return {usable.back(), threads};
}

hwmodels::DeviceSpec device_of(const ArmBoard& board, const ArmRun& run) {
  // The kernels' constants; all that the data sheet says replaces those of this board.
  hwmodels::DeviceSpec device = hwmodels::load_device("raspberry-pi-4");
  const ArmCore& core = run.slowest.core;
  // int8 over fp32: SDOT does four times the products, of which loads and requantization leave three; without it see hwmodels/arm_model.h.
  constexpr double kDotProductGain = 3, kWideningGain = 4.0 / 3;
  std::map<std::string, double>& p = device.parameters;
  p["clock_hz"] = run.slowest.clock_hz;
  p["threads"] = run.threads;
  p["fp32_macs_per_cycle"] = core.fp32_macs_per_cycle;
  if (core.has_fp16) p["fp16_macs_per_cycle"] = 2 * core.fp32_macs_per_cycle;
  p["int16_macs_per_cycle"] = core.fp32_macs_per_cycle;
  p["int8_macs_per_cycle"] = core.fp32_macs_per_cycle * (core.has_dot_product ? kDotProductGain : kWideningGain);
  p["op_overhead_s"] = kOverheadCycles / run.slowest.clock_hz;
  p["thread_overhead_s"] = kThreadOverheadCycles / run.slowest.clock_hz;
  p["int8_reduction_granule"] = core.has_dot_product ? 4 : 2;
  p["last_level_cache_bytes"] = core.last_level_cache_bytes;
  p["core_dram_bytes_per_s"] = core.dram_bytes_per_s;
  p["dram_bytes_per_s"] = board.dram_bytes_per_s;
  device.capabilities.activation_bits = core.has_fp16 ? std::vector<int>{8, 16, 32} : std::vector<int>{8, 32};
  return device;
}

}  // namespace lathe::bench

// Once-for-All (H. Cai et al., ICLR 2020): MobileNetV3 networks of elastic depth, kernel, expansion and resolution on GPUs.
#include <array>
#include <cmath>
#include <sstream>

#include "bench/hardware_truth/few_measurements_table.h"
#include "bench/hardware_truth/sections.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;

constexpr int kLargestDepth = 4;
// The width multiplier is not stated with the data; OFA publishes 1.0 and 1.2, which scale all features alike.
constexpr std::array<double, 5> kStageChannels = {32, 48, 96, 136, 192};
constexpr double kStemChannels = 24;
constexpr std::array<double, 5> kStageStrides = {2, 2, 2, 1, 2};
constexpr std::array<bool, 5> kHasSqueeze = {false, true, false, true, true};
constexpr double kSqueezePasses = 2;  // over the expanded activations: pooling and scaling

struct Work {
  double blocks = 0, squeezes = 0;
  double pointwise_macs = 0, depthwise_macs = 0, activations = 0;
};

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  std::stringstream stream(text);
  for (double value = 0; stream >> value;) numbers.push_back(value);
  return numbers;
}

struct BlockShape {
  double in_channels, out_channels, kernel, expansion, in_size, out_size;
  bool has_squeeze;
};

void add_block(const BlockShape& s, Work& work) {
  const double middle = s.in_channels * s.expansion, in_pixels = s.in_size * s.in_size, out_pixels = s.out_size * s.out_size;
  work.blocks += 1;
  work.squeezes += s.has_squeeze ? 1 : 0;
  work.pointwise_macs += s.in_channels * middle * in_pixels + middle * s.out_channels * out_pixels;
  work.depthwise_macs += s.kernel * s.kernel * middle * out_pixels;
  work.activations += (s.in_channels + 2 * middle) * in_pixels + (2 * middle + s.out_channels) * out_pixels +
                      (s.has_squeeze ? kSqueezePasses * middle * out_pixels : 0);
}

Work work_of(const CsvRow& row) {
  const std::vector<double> kernels = numbers_of(row.at("ks")), expansions = numbers_of(row.at("e")), depths = numbers_of(row.at("d"));
  const double resolution = measurements::number(row, "r");
  double size = std::ceil(resolution / 2), channels = kStemChannels;
  Work work;
  work.pointwise_macs = 3 * 9 * channels * size * size;
  work.activations = 3 * resolution * resolution + 6 * channels * size * size;  // the stem and the block that every network has
  for (std::size_t stage = 0; stage < depths.size() && stage < kStageChannels.size(); ++stage) {
    for (int depth = 0; depth < static_cast<int>(depths[stage]); ++depth) {
      const std::size_t layer = stage * kLargestDepth + static_cast<std::size_t>(depth);
      const double out_size = depth == 0 ? std::ceil(size / kStageStrides[stage]) : size;
      add_block({channels, kStageChannels[stage], kernels.at(layer), expansions.at(layer), size, out_size, kHasSqueeze[stage]}, work);
      size = out_size;
      channels = kStageChannels[stage];
    }
  }
  return work;
}

}  // namespace

SectionResult ofa(const DataFolder& data) {
  const std::vector<CsvRow> rows = data.rows("help_ofa/ofa_latency_dev.csv", {"ks", "e", "d", "r"});
  Eigen::MatrixXd features(static_cast<Eigen::Index>(rows.size()), 6);
  std::vector<double> macs;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Work work = work_of(rows[i]);
    features.row(static_cast<Eigen::Index>(i)) << 1, work.blocks, work.squeezes, work.pointwise_macs / 1e8, work.depthwise_macs / 1e7,
        work.activations / 1e7;
    macs.push_back(work.pointwise_macs + work.depthwise_macs);
  }
  MeasuredSpace space;
  space.runtimes = {{"as written", 1, features}};
  for (const std::string& name : device_columns(rows, {"index", "ks", "e", "d", "r"}))
    add_device(measured_device(rows, name, [](const CsvRow&) { return true; }), space);
  const Eigen::MatrixXd linear_features = features.rightCols(5);
  SectionResult result;
  add_chip_left_out({.dataset = "Once-for-All", .space = &space, .macs = &macs, .linear_features = &linear_features}, result);
  if (const TruthRow* mean = find_mean(result, kChipLeftOut))
    result.means = {{"Spearman", metric(*mean, kSpearman)}, {"error %", metric(*mean, kError)}};
  return result;
}

}  // namespace lathe::bench

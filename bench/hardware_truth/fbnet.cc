// FBNet (B. Wu et al., CVPR 2019): 22 blocks of nine kinds, on telephones, servers and GPUs.
#include <sstream>

#include "bench/hardware_truth/few_measurements_table.h"
#include "bench/hardware_truth/sections.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;

// A place of the network for a searched block.
struct Place {
  double in_channels, out_channels, in_size, out_size;
  bool keeps_shape() const { return in_channels == out_channels && in_size == out_size; }
};

// "k5_e3" or "k3_e1_g2": kernel, expansion, groups of the 1x1 convolutions; "skip".
struct Block {
  double kernel = 0, expansion = 0, groups = 1;
  bool is_skip() const { return kernel == 0; }
};

// Work of the searched blocks that devices charge for.
struct Work {
  double blocks = 0, projections = 0, grouped = 0, additions = 0;  // counts of kernels' bundles
  double pointwise_macs = 0, depthwise_macs = 0, activations = 0, weights = 0;
};

std::vector<Place> read_places(const std::vector<CsvRow>& rows) {
  std::vector<Place> places;
  for (const CsvRow& row : rows) {
    if (row.at("kind") != "searched") continue;
    places.push_back({measurements::number(row, "c_in"), measurements::number(row, "c_out"), measurements::number(row, "h_in"),
                      measurements::number(row, "h_out")});
  }
  return places;
}

Block parse_block(const std::string& word) {
  Block block;
  if (word == "skip") return block;
  std::stringstream stream(word);
  for (std::string part; std::getline(stream, part, '_');) {
    const double value = std::stod(part.substr(1));
    (part[0] == 'k' ? block.kernel : part[0] == 'e' ? block.expansion : block.groups) = value;
  }
  return block;
}

void add_skip(const Place& place, Work& work) {
  if (place.keeps_shape()) return;
  const double out_pixels = place.out_size * place.out_size;
  work.projections += 1;
  work.pointwise_macs += place.in_channels * place.out_channels * out_pixels;
  work.activations += place.in_channels * place.in_size * place.in_size + place.out_channels * out_pixels;
}

void add_block(const Block& block, const Place& place, Work& work) {
  if (block.is_skip()) return add_skip(place, work);
  const double middle = place.in_channels * block.expansion;
  const double in_pixels = place.in_size * place.in_size, out_pixels = place.out_size * place.out_size;
  work.blocks += 1;
  work.grouped += block.groups > 1 ? 1 : 0;
  work.additions += place.keeps_shape() ? 1 : 0;
  work.pointwise_macs += (place.in_channels * middle * in_pixels + middle * place.out_channels * out_pixels) / block.groups;
  work.depthwise_macs += block.kernel * block.kernel * middle * out_pixels;
  work.activations += (place.in_channels + 2 * middle) * in_pixels + (2 * middle + place.out_channels) * out_pixels;
  work.weights += (place.in_channels + place.out_channels) * middle / block.groups;
}

Eigen::MatrixXd block_features(const std::vector<CsvRow>& rows, const std::vector<Place>& places) {
  Eigen::MatrixXd features(static_cast<Eigen::Index>(rows.size()), 9);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Work work;
    std::stringstream stream(rows[i].at("arch"));
    std::string word;
    for (std::size_t place = 0; place < places.size() && stream >> word; ++place) add_block(parse_block(word), places[place], work);
    features.row(static_cast<Eigen::Index>(i)) << 1, work.blocks, work.projections, work.grouped, work.additions, work.pointwise_macs / 1e6,
        work.depthwise_macs / 1e6, work.activations / 1e5, work.weights / 1e5;
  }
  return features;
}

}  // namespace

SectionResult fbnet(const DataFolder& data) {
  const std::vector<CsvRow> rows = data.rows("help_fbnet/fbnet_latency_dev.csv", {"arch", "macs"});
  MeasuredSpace space;
  space.runtimes = {
      {"as written", 1,
       block_features(rows, read_places(data.rows("help_fbnet/fbnet_macro_blocks.csv", {"kind", "c_in", "c_out", "h_in", "h_out"})))}};
  for (const std::string& name : device_columns(rows, {"index", "arch", "macs", "params"}))
    add_device(measured_device(rows, name, [](const CsvRow&) { return true; }), space);
  std::vector<double> macs;
  for (const CsvRow& row : rows) macs.push_back(measurements::number(row, "macs"));
  const Eigen::MatrixXd linear_features = space.runtimes.front().features.rightCols(8);
  SectionResult result;
  const SpaceTable table{.dataset = "FBNet", .space = &space, .macs = &macs, .linear_features = &linear_features};
  add_help_protocol(table, result);
  add_chip_left_out(table, result);
  for (const char* protocol : {kHelpProtocol, kChipLeftOut}) {
    const TruthRow* mean = find_mean(result, protocol);
    if (mean == nullptr) continue;
    result.means.push_back({std::string(protocol) + ": Spearman", metric(*mean, kSpearman)});
    result.means.push_back({"error %", metric(*mean, kError)});
  }
  return result;
}

}  // namespace lathe::bench

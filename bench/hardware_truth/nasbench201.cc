// NAS-Bench-201: 15,625 cells on telephones, servers and GPUs.
#include <array>

#include "bench/hardware_truth/device_sheets.h"
#include "bench/hardware_truth/few_measurements_table.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/nasbench201_cell.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/hardware_model.h"
#include "tests/hwmodels/sample_workloads.h"

namespace lathe::bench {
namespace {

using measurements::CellKernels;
using measurements::CsvRow;

constexpr const char* kDataset = "NAS-Bench-201";
constexpr const char* kDataSheet = "data sheet only";
constexpr const char* kEager = "eager";
constexpr const char* kPruned = "pruned";
constexpr double kTargetSpearman = 0.96, kTargetError = 7, kTargetDataSheet = 0.9;
// Before measuring: of nine training devices one runs a compiled network.
constexpr double kPrunedProbability = 0.1;

Eigen::MatrixXd kernel_features(const std::vector<CsvRow>& rows, bool is_pruned) {
  Eigen::MatrixXd features(static_cast<Eigen::Index>(rows.size()), 5);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CellKernels cell = is_pruned ? measurements::pruned_kernels(rows[i]) : measurements::eager_kernels(rows[i]);
    // A compiler leaves no multiplication by zero.
    features.row(static_cast<Eigen::Index>(i)) << 1, is_pruned ? 0 : cell.zeroings, cell.convs_1x1, cell.convs_3x3, cell.pools;
  }
  return features;
}

// HW-NAS-Bench (C. Li et al., ICLR 2021) ran these under TensorFlow Lite.
bool is_compiled(const std::string& chip) {
  return chip == "raspi4" || chip == "pixel3";
}

MeasuredSpace read_space(const std::vector<CsvRow>& rows) {
  MeasuredSpace space;
  space.runtimes = {{kEager, 1 - kPrunedProbability, kernel_features(rows, /*is_pruned=*/false)},
                    {kPruned, kPrunedProbability, kernel_features(rows, /*is_pruned=*/true)}};
  const std::vector<std::string> described = {"index", "arch_str", "e01",  "e02",    "e12",      "e03",
                                              "e13",   "e23",      "macs", "params", "graph_id", "connected"};
  for (const std::string& name : device_columns(rows, described)) {
    const bool compiles = is_compiled(parse_device_column(name).chip);
    MeasuredDevice device = measured_device(rows, name, [&](const CsvRow& row) { return !compiles || row.at("connected") == "1"; });
    if (compiles) device.runtime = kPruned;
    add_device(std::move(device), space);
  }
  return space;
}

// Latency in ms that the hardware model gives one kernel of each feature, summed over the network's cells.
Eigen::VectorXd predicted_kernels_ms(const DeviceSheet& sheet, int batch) {
  const auto model = hwmodels::make_hardware_model(sheet.device);
  constexpr std::array<std::pair<std::int64_t, std::int64_t>, 3> kStages = {{{16, 32}, {32, 16}, {64, 8}}};  // channels, size
  constexpr int kCellsAStage = 5;
  Eigen::VectorXd kernels_ms = Eigen::VectorXd::Zero(5);
  for (const auto& [channels, size] : kStages) {
    policies::OpWorkload pointwise = hwmodels::add_op(batch * channels * size * size);
    pointwise.input_elements /= 2;
    const double pointwise_ms = model->op_cost(pointwise).latency_ms;
    const auto conv_ms = [&](std::int64_t kernel) {
      const auto op = hwmodels::conv_op({.in = channels, .out = channels, .size = size, .kernel = kernel, .batch = batch});
      // ReLU and BatchNormalization.
      return model->op_cost(op).latency_ms + (sheet.is_unfused ? 2 * pointwise_ms : 0);
    };
    policies::OpWorkload pool =
        hwmodels::conv_op({.in = channels, .out = channels, .size = size, .kernel = 3, .groups = channels, .batch = batch});
    pool.kind = policies::OpKind::kPool;
    pool.macs = pool.weight_elements = 0;
    kernels_ms += kCellsAStage * Eigen::VectorXd{{0, pointwise_ms, conv_ms(1), conv_ms(3), model->op_cost(pool).latency_ms}};
  }
  return kernels_ms;
}

void add_data_sheet_rows(const MeasuredSpace& space, SectionResult& result) {
  const auto sheets = device_sheets();
  std::vector<double> correlations;
  for (const MeasuredDevice& device : space.devices) {
    const auto sheet = sheets.find(device.chip);
    if (sheet == sheets.end()) continue;
    const RuntimeHypothesis& runtime = space.runtimes[is_compiled(device.chip) ? 1 : 0];
    const Eigen::VectorXd kernels_ms = predicted_kernels_ms(sheet->second, parse_device_column(device.name).batch);
    const Eigen::VectorXd predicted = rows_of(runtime.features, device.rows) * kernels_ms;
    correlations.push_back(measurements::spearman(to_vector(predicted), to_vector(device.latency_ms)));
    result.rows.push_back({kDataset, device.name, kDataSheet, {{kSpearman, correlations.back()}}});
  }
  if (correlations.empty()) return;
  const double mean = measurements::mean(correlations);
  result.rows.push_back({kDataset, "mean of " + std::to_string(correlations.size()) + " measured", kDataSheet, {{kSpearman, mean}}});
  result.claims.push_back({"mean Spearman, data sheet only", mean, Claim::Bound::kAtLeast, kTargetDataSheet});
}

}  // namespace

SectionResult nasbench201(const DataFolder& data) {
  const std::vector<CsvRow> rows =
      data.rows("help_nasbench201/nb201_latency_dev.csv", {"e01", "e02", "e12", "e03", "e13", "e23", "connected", "macs"});
  const MeasuredSpace space = read_space(rows);
  std::vector<double> macs;
  for (const CsvRow& row : rows) macs.push_back(measurements::number(row, "macs"));
  const Eigen::MatrixXd& counts = space.runtimes.front().features;
  const Eigen::MatrixXd linear_features = counts.rightCols(counts.cols() - 1);
  const SpaceTable table{.dataset = kDataset, .space = &space, .macs = &macs, .linear_features = &linear_features};
  SectionResult result;
  add_help_protocol(table, result);
  add_chip_left_out(table, result);
  if (const TruthRow* mean = find_mean(result, kHelpProtocol)) {
    result.claims.push_back(
        {"mean Spearman, unseen devices, 10 measurements", metric(*mean, kSpearman), Claim::Bound::kAtLeast, kTargetSpearman});
    result.claims.push_back({"mean of median errors %, unseen devices", metric(*mean, kError), Claim::Bound::kAtMost, kTargetError});
    result.means = {{"Spearman", metric(*mean, kSpearman)}, {"error %", metric(*mean, kError)}};
  }
  add_data_sheet_rows(space, result);
  result.notes.push_back(
      "Cells whose output does not depend on their input are left out on raspi4 and pixel3, which fold them to a constant.");
  return result;
}

}  // namespace lathe::bench

#include "bench/hardware_truth/dpu_rows.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <regex>

#include "bench/measurements/csv.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;
using measurements::number;

constexpr double kGiga = 1e9, kMega = 1e6;

// Of the peak, on networks that suit the array; and what remains of a many-threaded host's time for an image.
constexpr double kArrayEfficiency = 0.8, kOverlappedHost = 0.4;
// Time of the host for an input pixel (decode, resize, normalize) and for an image: four Cortex-A53, or a server.
constexpr double kEmbeddedPixel_s = 1.5e-8, kServerPixel_s = 1e-9, kEmbeddedImage_s = 3e-4, kServerImage_s = 3e-5;
// Networks whose input is no image (point clouds): as one of 3e5 pixels.
constexpr double kUnknownPixels = 3e5;

struct DpuCore {
  std::string architecture;
  double operations_per_s = 0;  // of one engine
  bool has_embedded_host = true, is_ai_engine = false;
};

class DpuDataSheets {
 public:
  DpuDataSheets() : rows_(measurements::read_csv(std::string(LATHE_SOURCE_DIR) + "/bench/hardware_truth/dpu_data_sheets/cores.csv")) {}

  DpuCore core_of(const CsvRow& row) const {
    const std::string& name = row.at("dpu");
    const double clock_hz = engine_clock_hz(row);
    // DPUCZDX8G: "B4096" says the operations a cycle.
    if (name.size() > 1 && name.front() == 'B' && std::isdigit(static_cast<unsigned char>(name[1])) != 0) {
      return {"DPUCZDX8G", std::stod(name.substr(1)) * clock_hz, true, false};
    }
    for (const CsvRow& core : rows_) {
      if (!name.starts_with(core.at("prefix"))) continue;
      // The same engine on a card in a server (V70).
      const bool is_card = row.at("config").find("PCIe") != std::string::npos || row.at("config").find("Gen3x") != std::string::npos;
      return {core.at("architecture"), number(core, "ops_per_cycle") * clock_hz, number(core, "has_embedded_host") > 0 && !is_card,
              number(core, "is_ai_engine") > 0};
    }
    constexpr double kUnknownOperationsPerCycle = 4096;
    return {name, kUnknownOperationsPerCycle * clock_hz, true, false};
  }

 private:
  // AI engines of the ML kind have a clock of their own, which the configuration names.
  static double engine_clock_hz(const CsvRow& row) {
    static const std::regex pattern("AIE-ML ([0-9.]+)GHz");
    std::smatch match;
    const std::string& config = row.at("config");
    if (std::regex_search(config, match, pattern)) return std::stod(match[1].str()) * kGiga;
    return number(row, "clock_mhz") * kMega;
  }

  std::vector<CsvRow> rows_;
};

class DpuReader {
 public:
  DpuTable table(const std::vector<CsvRow>& rows) {
    for (const CsvRow& row : rows) {
      if (number(row, "suspect") > 0 || number(row, "gops") <= 0) continue;
      const DpuCore core = sheets_.core_of(row);
      for (const bool is_many : {false, true}) {
        const double images_per_s = number(row, is_many ? "fps_multi_thread" : "fps_single_thread");
        if (images_per_s > 0) add(row, core, is_many, images_per_s);
      }
    }
    if (lines_.empty()) throw MissingData("no rates of a DPU");
    return finish();
  }

 private:
  struct Line {
    double log_measured, log_predicted, log_operations, pruned;
    Eigen::RowVector3d network;
  };

  void add(const CsvRow& row, const DpuCore& core, bool is_many, double images_per_s) {
    const double gops = number(row, "gops"), pruned_ratio = std::min(number(row, "pruned_ratio"), 0.99);
    const double known_pixels = number(row, "in_h") * number(row, "in_w"), pixels = known_pixels > 0 ? known_pixels : kUnknownPixels;
    const double engines = is_many ? std::max(1.0, number(row, "dpu_cores", 1)) : 1;
    const double ideal_s = gops * kGiga / (core.operations_per_s * engines);
    const double host_s = pixels * (core.has_embedded_host ? kEmbeddedPixel_s : kServerPixel_s) * (is_many ? kOverlappedHost : 1) +
                          (core.has_embedded_host ? kEmbeddedImage_s : kServerImage_s);
    const double predicted_s = ideal_s / kArrayEfficiency + host_s;
    const double log_operations = std::log(gops), log_pixels = std::log(pixels / 5e4);
    lines_.push_back({.log_measured = -std::log(images_per_s),
                      .log_predicted = std::log(predicted_s),
                      .log_operations = log_operations,
                      .pruned = -std::log1p(-pruned_ratio),
                      .network = {(log_operations - 1.5) / 2, log_pixels / 2, ideal_s / predicted_s - 0.5}});
    name(row, core, is_many, std::lround(10 * log_operations));
  }

  void name(const CsvRow& row, const DpuCore& core, bool is_many, long size) {
    const auto number_of = [](std::map<std::string, int>& numbers, const std::string& key) {
      return numbers.try_emplace(key, static_cast<int>(numbers.size())).first->second;
    };
    const std::string board = row.at("board") + ", " + row.at("dpu_cores") + " x " + row.at("dpu");
    table_.family.push_back(row.at("family"));
    table_.model.push_back(row.at("model"));
    table_.board.push_back(board);
    table_.family_id.push_back(number_of(families_, row.at("family")));
    table_.board_id.push_back(number_of(boards_, board));
    table_.setting_id.push_back(number_of(settings_, board + (is_many ? "|many" : "|one")));
    table_.architecture_id.push_back(number_of(architectures_, core.architecture));
    table_.fabric_id.push_back(core.is_ai_engine ? 1 : 0);
    table_.host_id.push_back(core.has_embedded_host ? 1 : 0);
    table_.threads_id.push_back(is_many ? 1 : 0);
    table_.variant_id.push_back(number_of(variants_, row.at("family") + "|" + std::to_string(size) + "|" + row.at("pruned_ratio")));
  }

  DpuTable finish() {
    const auto count = static_cast<Eigen::Index>(lines_.size());
    for (Eigen::VectorXd* column : {&table_.log_measured, &table_.log_predicted, &table_.log_operations, &table_.pruned})
      column->resize(count);
    table_.network.resize(count, 3);
    for (Eigen::Index i = 0; i < count; ++i) {
      const Line& line = lines_[static_cast<std::size_t>(i)];
      table_.log_measured[i] = line.log_measured;
      table_.log_predicted[i] = line.log_predicted;
      table_.log_operations[i] = line.log_operations;
      table_.pruned[i] = line.pruned;
      table_.network.row(i) = line.network;
    }
    return std::move(table_);
  }

  DpuDataSheets sheets_;
  std::map<std::string, int> families_, boards_, settings_, architectures_, variants_;
  std::vector<Line> lines_;
  DpuTable table_;
};

// "tf" of "tf_resnetv1_50_...": the framework, whose networks of a family differ.
std::string framework_of(const std::string& model) {
  return model.substr(0, model.find('_'));
}

// How far, in logarithms, the operations of `pruned` are from those of `whole` times the kept fraction.
double mismatch(const DpuTable& table, int pruned, int whole) {
  return std::abs(table.log_operations[whole] - table.pruned[pruned] - table.log_operations[pruned]);
}

}  // namespace

DpuTable dpu_table(const DataFolder& data) {
  return DpuReader().table(data.rows("vitis_dpu/dpu_perf_dev.csv", {"board", "dpu", "dpu_cores", "clock_mhz", "config", "model", "family",
                                                                    "pruned_ratio", "gops", "fps_single_thread", "fps_multi_thread"}));
}

std::vector<PrunedPair> pruned_pairs(const DpuTable& table) {
  constexpr double kMostMismatch = 0.15;  // ratios and operations are rounded in the names
  std::vector<PrunedPair> pairs;
  for (int pruned = 0; pruned < table.rows(); ++pruned) {
    if (table.pruned[pruned] <= 0) continue;
    const auto at = static_cast<std::size_t>(pruned);
    int best = -1;
    for (int whole = 0; whole < table.rows(); ++whole) {
      const auto other = static_cast<std::size_t>(whole);
      const bool is_candidate = table.pruned[whole] == 0 && table.family_id[other] == table.family_id[at] &&
                                table.setting_id[other] == table.setting_id[at] && table.network(whole, 1) == table.network(pruned, 1) &&
                                framework_of(table.model[other]) == framework_of(table.model[at]);
      if (is_candidate && (best < 0 || mismatch(table, pruned, whole) < mismatch(table, pruned, best))) best = whole;
    }
    if (best >= 0 && mismatch(table, pruned, best) <= kMostMismatch) pairs.push_back({pruned, best});
  }
  return pairs;
}

}  // namespace lathe::bench

#include "bench/hardware_truth/tiny_rows.h"

#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <regex>

#include "bench/measurements/csv.h"
#include "hwmodels/hardware_model.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;
using measurements::number;
using policies::OpKind;
using policies::OpWorkload;
using policies::Workload;

OpWorkload tiny_op(const CsvRow& row) {
  OpWorkload op;
  op.name = row.at("layer");
  const std::string& type = row.at("type");
  op.kind = type == "fc" ? OpKind::kGemm : type == "dw" ? OpKind::kDepthwiseConv : OpKind::kConv;
  const auto integer = [&](const char* key) { return static_cast<std::int64_t>(number(row, key, 1)); };
  op.in_channels = integer("c_in");
  op.out_channels = integer("c_out");
  op.groups = integer("groups");
  op.kernel_height = integer("kernel_h");
  op.kernel_width = integer("kernel_w");
  op.stride_height = integer("stride_h");
  op.stride_width = integer("stride_w");
  op.in_height = integer("h_in");
  op.in_width = integer("w_in");
  op.out_height = integer("h_out");
  op.out_width = integer("w_out");
  op.macs = integer("macs");
  op.weight_elements = integer("weights");
  op.input_elements = op.in_channels * op.in_height * op.in_width;
  op.output_elements = op.out_channels * op.out_height * op.out_width;
  op.weight_bits = op.input_bits = op.output_bits = 8;
  return op;
}

TinyKernel kernel_of(const OpWorkload& op) {
  if (op.kind == OpKind::kGemm) return kTinyDense;
  if (op.kind == OpKind::kDepthwiseConv) return kTinyDepthwise;
  return op.kernel_height * op.kernel_width == 1 ? kTinyPointwise : kTinyWindowed;
}

// The device file with the same core.
const char* file_of_core(const std::string& core) {
  static const std::map<std::string, const char*> files = {
      {"m0", "stm32g0b1"},  {"m3", "stm32g0b1"},        {"m4", "stm32l4r5"},        {"m7", "stm32f746"},       {"m33", "stm32u575"},
      {"m23", "stm32g0b1"}, {"m52", "cortex-m55-mps3"}, {"m55", "cortex-m55-mps3"}, {"m85", "cortex-m55-mps3"}};
  const auto found = files.find(core);
  return found == files.end() ? nullptr : found->second;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::optional<std::string> first_match(const std::string& text, const char* pattern) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern))) return std::nullopt;
  return match[1].str();
}

// Clocks of chips, by words of `group` or `system`, for submissions that name none: their data sheets' highest.
double usual_clock_hz(const std::string& words) {
  static const std::map<std::string, double> clocks = {{"l4r5", 120e6}, {"nrf5340", 128e6}, {"f746", 216e6},  {"u5", 160e6},  {"h7", 280e6},
                                                       {"g0b1", 64e6},  {"psoc", 150e6},    {"ra6m4", 200e6}, {"ra8", 480e6}, {"u3", 96e6}};
  for (const auto& [word, clock] : clocks) {
    if (words.find(word) != std::string::npos) return clock;
  }
  return 0;
}

// The core at the submission's clock.
std::optional<hwmodels::DeviceSpec> device_of(const CsvRow& row) {
  const std::string words = lower(row.at("processor") + " " + row.at("group") + " " + row.at("system"));
  const std::optional<std::string> core = first_match(words, "(?:cortex[- ]?|[ _])(m\\d+)");
  if (!core || file_of_core(*core) == nullptr) return std::nullopt;
  const std::optional<std::string> megahertz = first_match(lower(row.at("processor_freq")), "(\\d+(?:\\.\\d+)?)");
  constexpr double kMega = 1e6;
  const double clock_hz = megahertz ? std::stod(*megahertz) * kMega : usual_clock_hz(words);
  if (clock_hz <= 0) return std::nullopt;
  hwmodels::DeviceSpec device = hwmodels::load_device(file_of_core(*core));
  device.parameters["clock_hz"] = clock_hz;
  return device;
}

// "X-CUBE-AI v7.1.0": the name without version; submissions without a framework name it in the system.
std::string engine_of(const std::string& release) {
  return first_match(release, "([a-z][a-z-]*[a-z])").value_or(release);
}

class TinyReader {
 public:
  explicit TinyReader(const DataFolder& data) {
    for (const CsvRow& row : data.rows("mlperf_tiny/networks_tiny.csv", {"network", "layer", "type"}))
      networks_[row.at("network")].ops.push_back(tiny_op(row));
    rows_ = data.rows("mlperf_tiny/mlperf_tiny_dev.csv", {"kind", "division", "task", "processor", "processor_freq", "group", "system",
                                                          "framework", "latency_ms", "energy_uj"});
  }

  TinyTable table(int& left_out) {
    left_out = 0;
    std::vector<Line> lines;
    for (const CsvRow& row : rows_) {
      const bool is_reference = row.at("kind") == "arm" && row.at("division") == "closed" && networks_.contains(row.at("task"));
      const std::optional<hwmodels::DeviceSpec> device = is_reference ? device_of(row) : std::nullopt;
      if (!device || number(row, "latency_ms") <= 0) {
        ++left_out;
        continue;
      }
      lines.push_back({&row, *device});
    }
    if (lines.empty()) throw MissingData("no Cortex-M systems of the closed division");
    TinyTable table;
    const auto count = static_cast<Eigen::Index>(lines.size());
    for (Eigen::VectorXd* column : {&table.log_measured, &table.log_predicted, &table.log_measured_energy, &table.log_predicted_energy}) {
      column->resize(count);
    }
    table.shares = Eigen::MatrixXd::Zero(count, kTinyKernels);
    for (Eigen::Index i = 0; i < count; ++i) add(lines[static_cast<std::size_t>(i)], i, table);
    return table;
  }

 private:
  struct Line {
    const CsvRow* row;
    hwmodels::DeviceSpec device;
  };

  void add(const Line& line, Eigen::Index i, TinyTable& table) {
    const CsvRow& row = *line.row;
    constexpr double kMillis = 1e3, kMicros = 1e6;
    const auto model = hwmodels::make_hardware_model(line.device);
    const double overhead_ms = kMillis * line.device.at("op_overhead_cycles") / line.device.at("clock_hz");
    double latency_ms = 0, energy_mj = 0;
    for (const OpWorkload& op : networks_.at(row.at("task")).ops) {
      const hwmodels::OpCost cost = model->op_cost(op);
      latency_ms += cost.latency_ms;
      energy_mj += cost.energy_mj;
      table.shares(i, kernel_of(op)) += cost.latency_ms - overhead_ms;
      table.shares(i, kTinyOverhead) += overhead_ms;
    }
    table.shares.row(i) /= latency_ms;
    table.log_predicted[i] = std::log(latency_ms / kMillis);
    table.log_predicted_energy[i] = std::log(energy_mj / kMillis);
    table.log_measured[i] = std::log(number(row, "latency_ms") / kMillis);
    const double energy_uj = number(row, "energy_uj");
    table.log_measured_energy[i] = energy_uj > 0 ? std::log(energy_uj / kMicros) : std::numeric_limits<double>::quiet_NaN();
    add_names(row, table);
  }

  void add_names(const CsvRow& row, TinyTable& table) {
    const std::string release =
        lower(row.at("framework").empty() ? row.at("system").substr(0, row.at("system").find('/')) : row.at("framework"));
    const auto number_of = [&](std::map<std::string, int>& numbers, const std::string& name) {
      return numbers.try_emplace(name, static_cast<int>(numbers.size())).first->second;
    };
    table.chip.push_back(row.at("group"));
    table.task.push_back(row.at("task"));
    table.chip_id.push_back(number_of(chips_, row.at("group")));
    table.task_id.push_back(number_of(tasks_, row.at("task")));
    table.engine_id.push_back(number_of(engines_, engine_of(release)));
    table.release_id.push_back(number_of(releases_, release));
    std::string system;
    for (const char* key : {"group", "round", "submitter", "system", "framework"}) system += row.at(key) + "|";
    table.system_id.push_back(number_of(systems_, system));
  }

  std::map<std::string, Workload> networks_;
  std::vector<CsvRow> rows_;
  std::map<std::string, int> chips_, tasks_, engines_, releases_, systems_;
};

}  // namespace

TinyTable tiny_table(const DataFolder& data, int& left_out) {
  return TinyReader(data).table(left_out);
}

}  // namespace lathe::bench

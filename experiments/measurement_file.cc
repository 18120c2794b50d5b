#include "experiments/measurement_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>

#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "policies/coupling_groups.h"
#include "policies/low_rank.h"
#include "policies/policy.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<const char*, int> kPrecisions[] = {{"fp32", 32}, {"fp16", 16}, {"int8", 8}};
constexpr int kWidestInteger = 8;

// Fields of a line; a quoted field may hold commas and doubled quotes.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

class MeasurementReader {
 public:
  explicit MeasurementReader(std::string path) : path_(std::move(path)) {}

  std::vector<MeasuredNetwork> read() {
    std::ifstream stream(path_);
    std::string line;
    if (!std::getline(stream, line)) throw UserError(Fault{.file = path_, .expected = "expected a CSV file of measurements"});
    columns_ = fields_of(line);
    for (const char* required : {"model", "median_ms"}) {
      if (std::find(columns_.begin(), columns_.end(), required) == columns_.end())
        throw UserError(Fault{.file = path_, .line = 1, .key = required, .expected = "missing column"});
    }
    while (std::getline(stream, line)) {
      ++line_;
      if (!line.empty() && line != "\r") read_row(fields_of(line));
    }
    if (!faults_.empty()) throw UserError(std::move(faults_));
    return std::move(networks_);
  }

 private:
  void fault(const std::string& key, const std::string& expected, const std::string& got) {
    faults_.push_back({.file = path_, .line = line_, .key = key, .expected = expected, .got = got});
  }

  std::optional<double> number(const std::map<std::string, std::string>& row, const std::string& key) {
    const auto found = row.find(key);
    if (found == row.end() || found->second.empty()) return std::nullopt;
    double value = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value > 0) return value;
    fault(key, "expected a number above 0", text);
    return std::nullopt;
  }

  std::optional<int> whole_number(const std::map<std::string, std::string>& row, const std::string& key) {
    constexpr double kLargest = 65536;
    const std::optional<double> value = number(row, key);
    if (!value) return std::nullopt;
    if (*value == static_cast<int>(std::min(*value, kLargest))) return static_cast<int>(*value);
    fault(key, "expected a whole number from 1 to 65536", row.at(key));
    return std::nullopt;
  }

  std::string beside_file(const std::string& path) const {
    if (path.empty() || fs::path(path).is_absolute()) return path;
    const fs::path beside = fs::path(path_).parent_path() / path;
    return fs::exists(beside) ? beside.string() : path;
  }

  void read_row(const std::vector<std::string>& fields) {
    if (fields.size() > columns_.size())
      return fault("", "expected at most " + std::to_string(columns_.size()) + " fields", std::to_string(fields.size()));
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < fields.size(); ++i) row[columns_[i]] = fields[i];
    if (!row["layer"].empty()) return;
    if (row["model"].empty()) return fault("model", "expected an ONNX file", "");
    MeasuredNetwork network{.line = line_,
                            .model = beside_file(row["model"]),
                            .policy = beside_file(row["policy"]),
                            .device = row["device"],
                            .precision = row["precision"]};
    network.batch = whole_number(row, "batch").value_or(1);
    network.threads = whole_number(row, "threads");
    network.latency_ms = number(row, "median_ms");
    networks_.push_back(std::move(network));
  }

  std::string path_;
  int line_ = 1;
  std::vector<std::string> columns_;
  std::vector<MeasuredNetwork> networks_;
  std::vector<Fault> faults_;
};

}  // namespace

std::vector<MeasuredNetwork> read_measurement_file(const std::string& path) {
  return MeasurementReader(path).read();
}

policies::Workload workload_of(const MeasuredNetwork& measured) {
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(measured.model));
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::WorkloadBuilder builder(network, analysis, measured.batch, policies::factorable_layers(network));
  const policies::Policy policy = measured.policy.empty() ? policies::Policy{} : policies::read_policy(measured.policy);
  policies::WorkloadSetting setting = policies::setting_of(builder, network, analysis, policy);
  // A runtime that simulates narrow widths in floats says fp32 beside a policy.
  for (const auto& [name, bits] : kPrecisions) {
    const bool decides = measured.precision == name && (measured.policy.empty() || bits > kWidestInteger);
    if (!decides) continue;
    for (policies::WorkloadBuilder::Bits& of_node : setting.bits)
      of_node = {.weight = bits, .activation = bits, .rank_ratio = of_node.rank_ratio, .is_removed = of_node.is_removed};
  }
  return builder.build(setting.kept_counts, setting.bits);
}

}  // namespace lathe::experiments

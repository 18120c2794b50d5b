#include "hwmodels/latency_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

constexpr double kLargestOctaves = 2;   // a factor of four
constexpr std::size_t kNeighbours = 4;  // shapes that are interpolated between
constexpr double kDistancePower = 2;    // of inverse-distance weighting (D. Shepard, ACM 1968)

struct Neighbour {
  double distance = 0, log_value = 0;
};

// exp of the weighted mean of logarithms.
double interpolate(std::vector<Neighbour> neighbours) {
  const std::size_t count = std::min(kNeighbours, neighbours.size());
  std::partial_sort(neighbours.begin(), neighbours.begin() + static_cast<std::ptrdiff_t>(count), neighbours.end(),
                    [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; });
  double sum = 0, weights = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double weight = 1 / std::pow(neighbours[i].distance + 1e-9, kDistancePower);
    sum += weight * neighbours[i].log_value;
    weights += weight;
  }
  return std::exp(sum / weights);
}

double octaves(double a, double b) {
  return std::abs(std::log2(a / b));
}

double latency_at_bits(const std::vector<LatencyTable::Entry>& entries, int weight_bits, int activation_bits) {
  std::vector<Neighbour> neighbours;
  for (const LatencyTable::Entry& entry : entries) {
    const double distance = std::hypot(octaves(entry.weight_bits, weight_bits), octaves(entry.activation_bits, activation_bits));
    if (distance == 0) return entry.latency;
    neighbours.push_back({distance, std::log(entry.latency)});
  }
  return interpolate(std::move(neighbours));
}

// How far apart two shapes of one kind are; nullopt where too far or of different kinds.
std::optional<double> shape_distance(const TableShape& a, const TableShape& b) {
  const bool is_same_kind = a.kernel == b.kernel && a.stride == b.stride && a.is_depthwise() == b.is_depthwise() &&
                            (a.is_depthwise() || a.groups == b.groups) && (a.in_height == 1) == (b.in_height == 1);
  if (!is_same_kind) return std::nullopt;
  const std::array<double, 3> parts = {octaves(static_cast<double>(a.in_channels), static_cast<double>(b.in_channels)),
                                       octaves(static_cast<double>(a.out_channels), static_cast<double>(b.out_channels)),
                                       octaves(static_cast<double>(a.in_height), static_cast<double>(b.in_height))};
  if (*std::max_element(parts.begin(), parts.end()) > kLargestOctaves) return std::nullopt;
  return std::hypot(parts[0], parts[1], parts[2]);
}

struct Column {
  const char* meaning;
  std::vector<std::string> names;
  double otherwise;  // 0: the column must be there
};

const std::array<Column, 9>& columns() {
  static const std::array<Column, 9> all = {{{"input channels", {"c_in", "cin", "in_channels"}, 0},
                                             {"output channels", {"c_out", "cout", "out_channels"}, 0},
                                             {"kernel size", {"kernel", "kernel_size", "ks", "kernel_height"}, 0},
                                             {"stride", {"stride", "strides", "stride_height"}, 1},
                                             {"groups", {"groups"}, 1},
                                             {"input height", {"h_in", "input_h", "in_height"}, 0},
                                             {"weight bits", {"w_bits", "weight_bits"}, 32},
                                             {"activation bits", {"a_bits", "activation_bits"}, 32},
                                             {"batch", {"net_batch", "batch"}, 1}}};
  return all;
}
const std::vector<std::string> kLatencyNames = {"latency_ms", "latency", "latency_raw", "median_ms"};

std::vector<std::string> fields_of(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == ',')
      fields.emplace_back();
    else if (c != '"')
      fields.back() += c;
  }
  return fields;
}

class TableParser {
 public:
  TableParser(const std::string& text, std::string file) : stream_(text), file_(std::move(file)) {}

  LatencyTable parse() {
    std::string line;
    std::getline(stream_, line);
    header_ = fields_of(line);
    for (std::size_t i = 0; i < places_.size(); ++i)
      places_[i] = place_of(columns()[i].names, columns()[i].otherwise > 0, columns()[i].meaning);
    latency_place_ = place_of(kLatencyNames, /*is_optional=*/false, "latency");
    if (!faults_.empty()) throw UserError(std::move(faults_));
    while (std::getline(stream_, line)) {
      ++line_;
      if (!line.empty()) add_row(fields_of(line));
    }
    if (!faults_.empty()) throw UserError(std::move(faults_));
    if (table_.entries().empty()) throw UserError(Fault{.file = file_, .expected = "expected at least one row of a layer"});
    return std::move(table_);
  }

 private:
  int place_of(const std::vector<std::string>& names, bool is_optional, const std::string& meaning) {
    std::string legal;
    for (const std::string& name : names) {
      const auto found = std::find(header_.begin(), header_.end(), name);
      if (found != header_.end()) return static_cast<int>(found - header_.begin());
      legal += (legal.empty() ? "" : ", ") + name;
    }
    if (!is_optional)
      faults_.push_back({.file = file_, .line = 1, .expected = "no column for the " + meaning + "; expected one of " + legal});
    return -1;
  }

  double field(const std::vector<std::string>& fields, int place, double otherwise, const std::string& key) {
    if (place < 0) return otherwise;
    const std::string text = static_cast<std::size_t>(place) < fields.size() ? fields[static_cast<std::size_t>(place)] : "";
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number > 0 && std::isfinite(number)) return number;
    faults_.push_back({.file = file_, .line = line_, .key = key, .expected = "expected a number above 0", .got = text});
    return 1;
  }

  void add_row(const std::vector<std::string>& fields) {
    std::array<double, 9> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const Column& column = columns()[i];
      numbers[i] = field(fields, places_[i], column.otherwise, column.names.front());
    }
    const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(numbers[i]); };
    const TableShape shape{.in_channels = whole(0),
                           .out_channels = whole(1),
                           .kernel = whole(2),
                           .stride = whole(3),
                           .groups = whole(4),
                           .in_height = whole(5)};
    const double latency = field(fields, latency_place_, 0, kLatencyNames.front());
    table_.add(shape, {static_cast<int>(numbers[6]), static_cast<int>(numbers[7]), latency / numbers[8]});
  }

  std::istringstream stream_;
  std::string file_;
  int line_ = 1;
  std::vector<std::string> header_;
  std::array<int, 9> places_{};
  int latency_place_ = -1;
  std::vector<Fault> faults_;
  LatencyTable table_;
};

}  // namespace

double TableShape::macs() const {
  const double out_height = std::ceil(static_cast<double>(in_height) / static_cast<double>(stride));
  return out_height * out_height * static_cast<double>(out_channels) * static_cast<double>(in_channels) / static_cast<double>(groups) *
         static_cast<double>(kernel * kernel);
}

std::string to_string(const TableShape& shape) {
  const std::string kind = shape.in_height == 1 && shape.kernel == 1 ? "fully connected layer"
                           : shape.is_depthwise()                    ? "depthwise convolution"
                                                                     : "convolution";
  std::string text = std::to_string(shape.kernel) + "x" + std::to_string(shape.kernel) + " " + kind + ", stride " +
                     std::to_string(shape.stride) + ", " + std::to_string(shape.in_channels) + " -> " + std::to_string(shape.out_channels) +
                     " channels, height " + std::to_string(shape.in_height);
  if (shape.groups > 1 && !shape.is_depthwise()) text += ", " + std::to_string(shape.groups) + " groups";
  return text;
}

std::optional<TableShape> table_shape(const policies::OpWorkload& op) {
  if (op.weight_elements == 0) return std::nullopt;
  return TableShape{.in_channels = op.in_channels,
                    .out_channels = op.out_channels,
                    .kernel = op.kernel_height,
                    .stride = op.stride_height,
                    .groups = op.groups,
                    .in_height = op.in_height};
}

void LatencyTable::add(const TableShape& shape, const Entry& entry) {
  entries_[shape].push_back(entry);
}

void LatencyTable::remove(const TableShape& shape) {
  entries_.erase(shape);
}

std::optional<double> LatencyTable::latency(const TableShape& shape, int weight_bits, int activation_bits) const {
  if (const auto found = entries_.find(shape); found != entries_.end()) return latency_at_bits(found->second, weight_bits, activation_bits);
  std::vector<Neighbour> neighbours;
  for (const auto& [other, entries] : entries_) {
    const std::optional<double> distance = shape_distance(shape, other);
    if (distance) neighbours.push_back({*distance, std::log(latency_at_bits(entries, weight_bits, activation_bits) / other.macs())});
  }
  if (neighbours.empty()) return std::nullopt;
  return interpolate(std::move(neighbours)) * shape.macs();
}

LatencyTable parse_latency_table(const std::string& text, const std::string& file) {
  return TableParser(text, file).parse();
}

LatencyTable read_latency_table(const std::string& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) throw UserError(Fault{.file = path, .expected = "cannot read this latency table"});
  return parse_latency_table(text.str(), path);
}

}  // namespace lathe::hwmodels

#include "hwmodels/device_spec.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>

#include "hwmodels/device_class_registry.h"
#include "hwmodels/device_parameters.h"
#include "models/base/check.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

constexpr DeviceClass kClasses[] = {DeviceClass::kArmCpu,  DeviceClass::kArmMcu,        DeviceClass::kGpu,
                                    DeviceClass::kFpgaDpu, DeviceClass::kFpgaBitSerial, DeviceClass::kFpgaDataflow,
                                    DeviceClass::kX86Cpu,  DeviceClass::kLookupTable};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

bool ends_with_any(const std::string& key, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const char* ending) { return key.ends_with(ending); });
}

// Collects every fault of one file, so that the user mends it in one go.
class DeviceParser {
 public:
  DeviceParser(const std::string& text, std::string file) : text_(text) { spec_.file = std::move(file); }

  DeviceSpec parse() {
    const YAML::Node root = load();
    if (!root.IsMap())
      throw UserError(Fault{.file = spec_.file, .line = line_of(root), .expected = "expected a map of name, title, class, ..."});
    check_keys(root, "", {"name", "title", "class", "calibrated", "calibration", "capabilities", "parameters", "table"});
    spec_.name = text_at(root, "name", /*is_required=*/true);
    spec_.title = text_at(root, "title", /*is_required=*/false);
    if (spec_.title.empty()) spec_.title = spec_.name;
    read_calibrated(root);
    read_calibration(root);
    read_capabilities(root);
    if (read_class(root)) {
      spec_.capabilities.has_fixed_ranges = has_fixed_ranges(spec_.device_class);
      read_parameters(root);
      read_table(root);
    }
    if (!faults_.empty()) throw UserError(std::move(faults_));
    return std::move(spec_);
  }

 private:
  YAML::Node load() const {
    try {
      return YAML::Load(text_);
    } catch (const YAML::Exception& error) {
      throw UserError(Fault{.file = spec_.file, .line = error.mark.line + 1, .expected = "not YAML: " + error.msg});
    }
  }

  static int line_of(const YAML::Node& node) { return node.Mark().line < 0 ? 1 : node.Mark().line + 1; }

  void fault(const YAML::Node& at, const std::string& key, const std::string& expected, const std::string& got = "") {
    faults_.push_back({.file = spec_.file, .line = line_of(at), .key = key, .expected = expected, .got = got});
  }

  // Unknown and repeated keys of a map.
  void check_keys(const YAML::Node& map, const std::string& path, const std::vector<std::string>& legal) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(legal.begin(), legal.end(), key) == legal.end()) {
        const std::string near = nearest_spelling(key, legal);
        fault(entry.first, path + key,
              near.empty() ? "unknown key; expected one of " + joined(legal) : "unknown key; did you mean '" + near + "'?");
      } else if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        fault(entry.first, path + key, "the key is there twice");
      }
      seen.push_back(key);
    }
  }

  std::string text_at(const YAML::Node& map, const std::string& key, bool is_required) {
    const YAML::Node node = map[key];
    if (!node) {
      if (is_required) fault(map, key, "missing key");
      return "";
    }
    if (!node.IsScalar() || node.Scalar().empty()) {
      fault(node, key, "expected a text");
      return "";
    }
    return node.Scalar();
  }

  void read_calibrated(const YAML::Node& root) {
    const YAML::Node node = root["calibrated"];
    if (!node) return;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, spec_.is_calibrated)) {
      fault(node, "calibrated", "expected true or false", node.IsScalar() ? node.Scalar() : "");
    }
  }

  void read_calibration(const YAML::Node& root) {
    const YAML::Node map = root["calibration"];
    if (!map) return;
    if (!map.IsMap()) return fault(map, "calibration", "expected a map of source and latency_log_deviation");
    if (!spec_.is_calibrated) return fault(map, "calibration", "only a device with calibrated: true has a calibration");
    check_keys(map, "calibration.", {"source", "latency_log_deviation"});
    spec_.calibration = text_at(map, "source", /*is_required=*/true);
    const YAML::Node deviation = map["latency_log_deviation"];
    if (!deviation) return fault(map, "calibration.latency_log_deviation", "missing key");
    spec_.latency_log_deviation = positive_number(deviation, "calibration.latency_log_deviation").value_or(0);
  }

  bool read_class(const YAML::Node& root) {
    const std::string word = text_at(root, "class", /*is_required=*/true);
    if (word.empty()) return false;
    std::vector<std::string> legal;
    for (const DeviceClass device_class : kClasses) {
      legal.emplace_back(to_string(device_class));
      if (word != legal.back()) continue;
      spec_.device_class = device_class;
      return true;
    }
    for (const std::string& name : registered_device_classes()) {
      legal.push_back(name);
      if (word != name) continue;
      spec_.device_class = DeviceClass::kRegistered;
      spec_.registered_class = name;
      return true;
    }
    const std::string near = nearest_spelling(word, legal);
    fault(root["class"], "class", "expected one of " + joined(legal) + (near.empty() ? "" : " (did you mean '" + near + "'?)"), word);
    return false;
  }

  // The node under `value` of `{value: ..., source: ...}`; keeps the source. Empty where something is wrong.
  std::optional<YAML::Node> sourced_value(const YAML::Node& map, const std::string& path, const std::string& key) {
    const YAML::Node entry = map[key];
    if (!entry.IsMap()) {
      fault(entry, path + key, "expected {value: ..., source: \"where the number comes from\"}", entry.IsScalar() ? entry.Scalar() : "");
      return std::nullopt;
    }
    check_keys(entry, path + key + ".", {"value", "source"});
    const YAML::Node source = entry["source"];
    if (!source || !source.IsScalar() || source.Scalar().empty()) {
      fault(entry, path + key + ".source", "missing: every number says where it comes from");
    } else {
      spec_.sources[key] = source.Scalar();
    }
    const YAML::Node value = entry["value"];
    if (!value) {
      fault(entry, path + key + ".value", "missing key");
      return std::nullopt;
    }
    return value;
  }

  std::optional<double> positive_number(const YAML::Node& node, const std::string& key) {
    double number = 0;
    const std::string got = node.IsScalar() ? node.Scalar() : "";
    const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), number);
    if (got.empty() || error != std::errc() || end != got.data() + got.size() || !std::isfinite(number)) {
      fault(node, key, "expected a number", got);
      return std::nullopt;
    }
    if (number <= 0) {
      fault(node, key, "expected a number above 0", got);
      return std::nullopt;
    }
    return number;
  }

  std::optional<int> positive_integer(const YAML::Node& node, const std::string& key, int largest) {
    const std::optional<double> number = positive_number(node, key);
    if (!number) return std::nullopt;
    if (*number != std::floor(*number) || *number > largest) {
      fault(node, key, "expected a whole number from 1 to " + std::to_string(largest), node.Scalar());
      return std::nullopt;
    }
    return static_cast<int>(*number);
  }

  // Thresholds and scales are part of what is synthesized for an FPGA, or generated for a micro-controller.
  static bool has_fixed_ranges(DeviceClass device_class) {
    return device_class == DeviceClass::kFpgaDpu || device_class == DeviceClass::kFpgaBitSerial ||
           device_class == DeviceClass::kFpgaDataflow || device_class == DeviceClass::kArmMcu;
  }

  void read_capabilities(const YAML::Node& root) {
    const YAML::Node map = root["capabilities"];
    if (!map || !map.IsMap()) return fault(map ? map : root, "capabilities", map ? "expected a map" : "missing key");
    const std::string path = "capabilities.";
    check_keys(map, path, {"channel_granularity", "weight_bits", "activation_bits", "runs_two_of_four"});
    for (const char* key : {"channel_granularity", "weight_bits", "activation_bits"}) {
      if (!map[key]) fault(map, path + key, "missing key");
    }
    constexpr int kLargestGranularity = 1024;  // far above any device's; catches slips of the finger
    if (map["channel_granularity"]) {
      if (const auto value = sourced_value(map, path, "channel_granularity")) {
        const auto granularity = positive_integer(*value, path + "channel_granularity.value", kLargestGranularity);
        if (granularity) spec_.capabilities.channel_granularity = *granularity;
      }
    }
    read_bits(map, path, "weight_bits", spec_.capabilities.weight_bits);
    read_bits(map, path, "activation_bits", spec_.capabilities.activation_bits);
    if (!map["runs_two_of_four"]) return;
    const auto value = sourced_value(map, path, "runs_two_of_four");
    if (value && !YAML::convert<bool>::decode(*value, spec_.capabilities.runs_two_of_four))
      fault(*value, path + "runs_two_of_four.value", "expected true or false");
  }

  void read_bits(const YAML::Node& map, const std::string& path, const std::string& key, std::vector<int>& bits) {
    if (!map[key]) return;
    const auto value = sourced_value(map, path, key);
    if (!value) return;
    if (!value->IsSequence() || value->size() == 0)
      return fault(*value, path + key + ".value", "expected a list of widths, such as [4, 8, 32]");
    bits.clear();
    for (const auto& item : *value) {
      if (const auto width = positive_integer(item, path + key + ".value", 32)) bits.push_back(*width);
    }
    std::sort(bits.begin(), bits.end());
    bits.erase(std::unique(bits.begin(), bits.end()), bits.end());
  }

  void read_parameters(const YAML::Node& root) {
    const YAML::Node map = root["parameters"];
    if (!map || !map.IsMap()) return fault(map ? map : root, "parameters", map ? "expected a map" : "missing key");
    const std::string path = "parameters.";
    std::vector<std::string> legal;
    for (const DeviceParameter& parameter : device_parameters(spec_)) legal.emplace_back(parameter.key);
    check_keys(map, path, legal);
    for (const DeviceParameter& parameter : device_parameters(spec_)) {
      if (map[parameter.key]) {
        read_parameter(map, path, parameter.key);
      } else if (parameter.is_required) {
        fault(map, path + parameter.key, std::string("missing key (") + parameter.help + ")");
      }
    }
  }

  void read_table(const YAML::Node& root) {
    const YAML::Node node = root["table"];
    const bool is_lookup_table = spec_.device_class == DeviceClass::kLookupTable;
    if (!node && !is_lookup_table) return;
    if (!is_lookup_table) return fault(node, "table", "only a device of class lookup_table has a table");
    const std::string file = text_at(root, "table", /*is_required=*/true);
    if (!file.empty()) spec_.table_file = (std::filesystem::path(spec_.file).parent_path() / file).string();
  }

  void read_parameter(const YAML::Node& map, const std::string& path, const std::string& key) {
    const auto value = sourced_value(map, path, key);
    if (!value) return;
    const auto number = positive_number(*value, path + key + ".value");
    if (!number) return;
    if (*number > 1 && ends_with_any(key, {"_efficiency", "_share", "_overlap"})) {
      return fault(*value, path + key + ".value", "expected a share, above 0 and at most 1", value->Scalar());
    }
    spec_.parameters[key] = *number;
  }

  const std::string& text_;
  DeviceSpec spec_;
  std::vector<Fault> faults_;
};

}  // namespace

const char* to_string(DeviceClass device_class) {
  switch (device_class) {
    case DeviceClass::kArmCpu:
      return "arm_cpu";
    case DeviceClass::kArmMcu:
      return "arm_mcu";
    case DeviceClass::kGpu:
      return "gpu";
    case DeviceClass::kFpgaDpu:
      return "fpga_dpu";
    case DeviceClass::kFpgaBitSerial:
      return "fpga_bit_serial";
    case DeviceClass::kFpgaDataflow:
      return "fpga_dataflow";
    case DeviceClass::kX86Cpu:
      return "x86_cpu";
    case DeviceClass::kLookupTable:
      return "lookup_table";
    case DeviceClass::kRegistered:
      return "registered";
  }
  LATHE_CHECK(false) << "unknown device class";
  return "";
}

double DeviceSpec::at(const std::string& key) const {
  const auto found = parameters.find(key);
  LATHE_CHECK(found != parameters.end()) << "device " << name << " lacks " << key;
  return found->second;
}

double DeviceSpec::value_or(const std::string& key, double otherwise) const {
  const auto found = parameters.find(key);
  return found == parameters.end() ? otherwise : found->second;
}

DeviceSpec parse_device(const std::string& text, const std::string& file) {
  return DeviceParser(text, file).parse();
}

}  // namespace lathe::hwmodels

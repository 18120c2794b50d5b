#include "experiments/before_after_table.h"

#include <nlohmann/json.hpp>

#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

std::string change(const std::string& before, const std::string& after) {
  return before + " -> " + after;
}

std::string significant(const json& number) {
  return format_significant(number.get<double>(), 3);
}

std::string bytes(const json& number) {
  return format_bytes(number.get<double>());
}

std::string samples_per_second(const json& results, const json& latency_ms) {
  constexpr double kMillisecondsPerSecond = 1000;
  return format_significant(results["batch"].get<double>() * kMillisecondsPerSecond / latency_ms.get<double>(), 3);
}

const json& device_of(const json& results, const std::string& name) {
  for (const json& device : results["devices"]) {
    if (device["name"] == name) return device;
  }
  return results["devices"][0];
}

void add_row(TextTable& table, const json& results, const json& policy) {
  const std::string name = policy["device"];
  const json& before = device_of(results, name)["float"];
  const json& whole = results["float"];
  const json& latency = policy["latency_ms"][name];
  table.add_row(
      {name + " " + policy["policy"].get<std::string>(),
       change(format_points(whole["accuracy"]["test"]["value"].get<double>()), format_points(policy["accuracy"]["value"].get<double>())),
       change(significant(before["latency_ms"]), significant(latency)),
       change(samples_per_second(results, before["latency_ms"]), samples_per_second(results, latency)),
       change(bytes(before["memory_bytes"]), bytes(policy["memory_bytes"][name])),
       change(significant(before["average_power_w"]), significant(policy["average_power_w"][name])),
       policy.contains("size_bytes") ? change(bytes(whole["size_bytes"]), bytes(policy["size_bytes"])) : "-"});
}

}  // namespace

std::string before_after_table(const json& results) {
  TextTable table({{"before -> after"},
                   {"accuracy", TextTable::Align::kRight},
                   {"latency ms", TextTable::Align::kRight},
                   {"samples/s", TextTable::Align::kRight},
                   {"memory", TextTable::Align::kRight},
                   {"power W", TextTable::Align::kRight},
                   {"ONNX file", TextTable::Align::kRight}});
  bool has_rows = false;
  for (const json& policy : results["policies"]) {
    if (!policy["recommended"].get<bool>() || !policy["latency_ms"].contains(policy["device"].get<std::string>())) continue;
    add_row(table, results, policy);
    has_rows = true;
  }
  return has_rows ? table.to_string() : "";
}

}  // namespace lathe::experiments

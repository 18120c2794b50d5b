#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "experiments/before_after_table.h"
#include "experiments/results.h"
#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;
using Align = TextTable::Align;

std::string points(const json& share, bool has_sign = false) {
  const double value = 100 * share.get<double>();
  return (has_sign && value > 0 ? "+" : "") + format_fixed(value, 2);
}

// "91.92 % ± 0.53": half of the interval's width.
std::string accuracy_text(const json& figure) {
  std::string text = points(figure["value"]) + " %";
  if (figure.contains("interval"))
    text += " ±" + format_fixed(50 * (figure["interval"][1].get<double>() - figure["interval"][0].get<double>()), 2);
  return text;
}

// "0.42 [0.11, 0.73]" in points.
std::string loss_text(const json& figure) {
  std::string text = points(figure["value"]);
  if (figure.contains("interval")) text += " [" + points(figure["interval"][0]) + ", " + points(figure["interval"][1]) + "]";
  return text;
}

std::string compression(const json& whole, const json& part) {
  return format_bytes(part.get<double>()) + " (" + format_fixed(whole.get<double>() / part.get<double>(), 1) + "x)";
}

// "0.12": points of accuracy by which a policy as fast as that could be better at most, in the model of the sensitivities.
std::string gap_text(const json& device, const json& trial) {
  for (const json& certificate : device["certificates"].value("policies", json::array())) {
    if (certificate["trial"] == trial) return points(certificate["gap"]);
  }
  return "-";
}

void add_policy_row(TextTable& table, const json& results, const json& policy, const json& of_device) {
  const std::string device = of_device["name"].get<std::string>();
  const json& base = results["float"];
  const bool runs = policy["latency_ms"].contains(device);
  const std::string name = policy["policy"].get<std::string>() + (policy["recommended"].get<bool>() ? " *" : "");
  table.add_row({name, accuracy_text(policy["accuracy"]), loss_text(policy["accuracy_loss"]),
                 runs ? format_significant(policy["latency_ms"][device].get<double>(), 3) : "-",
                 runs ? format_fixed(policy["speed_up"][device].get<double>(), 2) + "x" : "-",
                 runs ? format_significant(policy["energy_mj"][device].get<double>(), 3) : "-",
                 policy.contains("size_bytes") ? compression(base["size_bytes"], policy["size_bytes"]) : "-",
                 compression(base["packed_bytes"], policy["packed_bytes"]), gap_text(of_device, policy["trial"])});
}

std::string certificate_note(const json& certificates) {
  if (certificates.contains("none")) return "No gap to a bound: " + certificates["none"].get<std::string>() + ".\n";
  std::vector<double> gaps;
  for (const json& certificate : certificates["policies"]) gaps.push_back(certificate["gap"].get<double>());
  std::sort(gaps.begin(), gaps.end());
  return "Gap to bound: points that any policy as fast could gain at most, in the additive model of the layers' sensitivities (losses of probability)"
         ";\non the whole front the median is " +
         points(gaps[gaps.size() / 2]) + ", the largest " + points(gaps.back()) + ".\n";
}

std::string device_table(const json& results, const json& device) {
  const std::string name = device["name"].get<std::string>();
  TextTable table({{"policy"},
                   {"test accuracy", Align::kRight},
                   {"loss, points", Align::kRight},
                   {"latency ms", Align::kRight},
                   {"speed-up", Align::kRight},
                   {"energy mJ", Align::kRight},
                   {"ONNX file", Align::kRight},
                   {"packed weights", Align::kRight},
                   {"gap to bound", Align::kRight}});
  const json& base = results["float"];
  table.add_row({"float", accuracy_text(base["accuracy"]["test"]), "", format_significant(device["float"]["latency_ms"].get<double>(), 3),
                 "1.00x", format_significant(device["float"]["energy_mj"].get<double>(), 3), format_bytes(base["size_bytes"].get<double>()),
                 format_bytes(base["packed_bytes"].get<double>()), ""});
  bool meets_loss = false, has_policy = false;
  for (const json& policy : results["policies"]) {
    if (policy["device"] != name) continue;
    add_policy_row(table, results, policy, device);
    has_policy = true;
    meets_loss |= policy["meets_loss"].get<bool>();
  }
  std::string text = device["title"].get<std::string>() + ": latency and energy predicted" +
                     (device["calibrated"].get<bool>() ? "" : ", uncalibrated") + "; " + std::to_string(device["front"].size()) +
                     " policies on its Pareto front\n" + table.to_string();
  if (has_policy && !meets_loss)
    text += "No policy loses at most " + format_fixed(results["accuracy_loss"].get<double>(), 2) +
            " points on the search split; these come nearest.\n";
  else if (!has_policy)
    text += device["front"].empty() ? "No policy was found that this device can run within the limits.\n" : "";
  if (!device["front"].empty()) text += certificate_note(device["certificates"]);
  return text + "\n";
}

std::string feedback_text(const json& feedback) {
  std::string text = std::to_string(feedback["timed"].size()) + " policies were timed in " + feedback["runtime"].get<std::string>();
  if (!feedback.contains("measured_front")) return text + ".\n";
  const auto count = [&](const char* key) { return std::to_string(feedback[key].get<int>()); };
  const auto percent = [&](const char* key) { return format_fixed(100 * feedback[key].get<double>(), 1) + " %"; };
  return text + ": of the " + count("measured_front") + " on the measured front prediction alone would have kept " +
         count("kept_by_prediction") + ", and keeps " + count("kept_by_calibration") + " once calibrated; median error " +
         percent("median_error_before") + " before, " + percent("median_error_after") + " after.\n";
}

}  // namespace

std::string results_table(const json& results) {
  std::string text;
  for (const json& device : results["devices"]) text += device_table(results, device);
  // A user's own program need not say how many rows it took.
  const std::int64_t rows = results["float"]["accuracy"]["test"].value("samples", std::int64_t{0});
  const std::string samples = rows > 0 ? std::to_string(rows) + " " : "";
  text += "* recommended: the fastest that loses at most " + format_fixed(results["accuracy_loss"].get<double>(), 2) +
          " points on the search split, after recovery. Accuracy is measured on " + samples +
          "held-out rows with 95 % intervals; the loss is paired with the float network.\n";
  if (results.contains("measured_feedback")) text += feedback_text(results["measured_feedback"]);
  if (const std::string changes = before_after_table(results); !changes.empty()) text += "\n" + changes;
  return text;
}

}  // namespace lathe::experiments

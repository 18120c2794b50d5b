#include "experiments/calibration_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "experiments/text_table.h"
#include "hwmodels/hardware_model.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

// The one value that all measured rows share; empty where none says it.
std::string shared_field(const std::vector<MeasuredNetwork>& rows, const std::string& file, const std::string& key,
                         std::string (*field)(const MeasuredNetwork&)) {
  std::string shared;
  for (const MeasuredNetwork& row : rows) {
    const std::string value = field(row);
    if (value.empty()) continue;
    if (!shared.empty() && value != shared)
      throw UserError(
          Fault{.file = file, .line = row.line, .key = key, .expected = "expected the same in all rows, '" + shared + "'", .got = value});
    shared = value;
  }
  return shared;
}

hwmodels::DeviceSpec device_as_measured(const CalibrationJob& job, const std::vector<MeasuredNetwork>& measured) {
  hwmodels::DeviceSpec device = hwmodels::load_device(job.device);
  if (!hwmodels::make_hardware_model(device)->is_additive() || hwmodels::fitted_parameters(device).empty()) {
    throw UserError(Fault{.file = device.file,
                          .key = "class",
                          .expected = "expected a device whose latency is the sum of its operators' physics",
                          .got = hwmodels::to_string(device.device_class)});
  }
  shared_field(measured, job.measurements, "device", [](const MeasuredNetwork& row) { return row.device; });
  const std::string threads = shared_field(measured, job.measurements, "threads", [](const MeasuredNetwork& row) {
    return row.threads ? std::to_string(*row.threads) : std::string();
  });
  if (!threads.empty() && device.parameters.contains("threads")) {
    device.parameters["threads"] = std::stod(threads);
    device.sources["threads"] = "as measured";
  }
  return device;
}

std::vector<CalibrationReport::Proposal> propose(const hwmodels::DeviceCalibration& calibration,
                                                 const std::vector<MeasuredNetwork>& candidates, int count) {
  std::vector<policies::Workload> workloads;
  for (const MeasuredNetwork& candidate : candidates) workloads.push_back(workload_of(candidate));
  std::vector<CalibrationReport::Proposal> proposals;
  for (const auto& [candidate, information] : hwmodels::propose_networks(calibration, workloads, count))
    proposals.push_back({candidates[static_cast<std::size_t>(candidate)], information});
  return proposals;
}

void write_device(const hwmodels::DeviceSpec& device, const std::string& path) {
  std::ofstream stream(path);
  stream << hwmodels::device_yaml(device);
  stream.close();
  if (!stream) throw UserError(Fault{.file = path, .expected = "cannot write this file"});
}

std::string percent(double share) {
  return format_fixed(100 * share, 1) + " %";
}

}  // namespace

CalibrationReport calibrate(const CalibrationJob& job) {
  CalibrationReport report;
  std::vector<MeasuredNetwork> candidates;
  for (MeasuredNetwork& row : read_measurement_file(job.measurements))
    (row.latency_ms ? report.measured : candidates).push_back(std::move(row));
  if (report.measured.empty())
    throw UserError(Fault{.file = job.measurements, .key = "median_ms", .expected = "expected at least one measured network"});
  report.before = device_as_measured(job, report.measured);
  std::vector<hwmodels::LatencyMeasurement> measurements;
  for (const MeasuredNetwork& row : report.measured) measurements.push_back({.workload = workload_of(row), .latency_ms = *row.latency_ms});
  const std::string source = std::filesystem::path(job.measurements).filename().string();
  report.calibration = hwmodels::calibrate_device(report.before, measurements, source);
  report.proposals = propose(report.calibration, candidates, job.proposals);
  write_device(report.calibration.fit.device, job.out);
  return report;
}

std::string calibration_text(const CalibrationReport& report) {
  using Align = TextTable::Align;
  const hwmodels::DeviceCalibration& calibration = report.calibration;
  TextTable parameters({{"parameter"}, {"before", Align::kRight}, {"after", Align::kRight}, {"standard error", Align::kRight}});
  for (const hwmodels::FittedParameter& parameter : calibration.parameters) {
    const auto number = [&](const hwmodels::DeviceSpec& device) {
      return nlohmann::json(std::stod(format_significant(device.at(parameter.key), 4))).dump();
    };
    parameters.add_row(
        {parameter.key, number(report.before), number(calibration.fit.device), percent(calibration.fit.relative_errors.at(parameter.key))});
  }
  std::string text =
      parameters.to_string() + "\n" + report.before.title + ", " + std::to_string(report.measured.size()) + " measurements\n";
  text += "median error, fitted           " + percent(calibration.fit.median_error) + "\n";
  text += "median error, cross-validated  " + percent(calibration.cross_validated_error) + "\n";
  text += "90 % interval of a prediction  " + format_fixed(hwmodels::latency_quantile_factor(calibration.noise, 0.05), 2) + " to " +
          format_fixed(hwmodels::latency_quantile_factor(calibration.noise, 0.95), 2) + " times\n";
  for (const int i : calibration.outliers) {
    const MeasuredNetwork& row = report.measured[static_cast<std::size_t>(i)];
    text += "outlier, line " + std::to_string(row.line) + ": " + row.model + ", predicted " +
            format_significant(*row.latency_ms * std::exp(calibration.fit.log_errors[static_cast<std::size_t>(i)]), 3) + " ms, measured " +
            format_significant(*row.latency_ms, 3) + " ms\n";
  }
  for (const auto& [network, information] : report.proposals)
    text += "measure next, line " + std::to_string(network.line) + ": " + network.model +
            (network.policy.empty() ? "" : ", " + network.policy) + " (" + format_fixed(information, 2) + " nats)\n";
  return text;
}

nlohmann::json calibration_json(const CalibrationReport& report) {
  const hwmodels::DeviceCalibration& calibration = report.calibration;
  nlohmann::json parameters = nlohmann::json::object(), outliers = nlohmann::json::array(), proposals = nlohmann::json::array();
  for (const hwmodels::FittedParameter& parameter : calibration.parameters) {
    parameters[parameter.key] = {{"before", report.before.at(parameter.key)},
                                 {"after", calibration.fit.device.at(parameter.key)},
                                 {"relative_error", calibration.fit.relative_errors.at(parameter.key)}};
  }
  for (const int i : calibration.outliers) {
    const MeasuredNetwork& row = report.measured[static_cast<std::size_t>(i)];
    outliers.push_back({{"line", row.line}, {"model", row.model}, {"log_error", calibration.fit.log_errors[static_cast<std::size_t>(i)]}});
  }
  for (const auto& [network, information] : report.proposals)
    proposals.push_back({{"line", network.line}, {"model", network.model}, {"policy", network.policy}, {"information_nats", information}});
  return {{"device", report.before.name},
          {"measurements", report.measured.size()},
          {"parameters", parameters},
          {"median_error", calibration.fit.median_error},
          {"cross_validated_error", calibration.cross_validated_error},
          {"latency_log_deviation", calibration.noise},
          {"outliers", outliers},
          {"proposals", proposals}};
}

}  // namespace lathe::experiments

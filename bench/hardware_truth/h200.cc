// H200: networks and single convolutions of PyTorch, none of which (no width, type or batch of it) the calibration saw.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>

#include "bench/hardware_truth/gpu_measurements.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/hardware_model.h"
#include "models/base/rng.h"

namespace lathe::bench {
namespace {

using hwmodels::DeviceSpec;
using hwmodels::LatencyMeasurement;

constexpr int kMeasurements = 20, kDraws = 5;
// How well the parameters are known before measuring: data sheets within a factor of 1.6, a device file that was fitted to others within 15
// %.
constexpr double kSheetSpread = 0.5, kFileSpread = 0.15;
constexpr double kStartMs = 3.4e-3;  // of a CUDA graph; one run a graph against sixteen (bench/measure_h200.py): 3 to 6 us

// The H200 before any was measured: what this GPU's file has from the networks is put back to round numbers, from data sheets and from
// single operators (bench/measure_h200.py).
DeviceSpec data_sheet(DeviceSpec device) {
  const std::map<std::string, double> values = {{"math_efficiency", 0.9},
                                                {"simt_efficiency", 0.5},
                                                {"product_simt_efficiency", 0.7},
                                                {"attention_efficiency", 0.4},
                                                {"winograd_efficiency", 0.4},
                                                {"direct_efficiency", 0.1},
                                                {"copied_elements_per_s", 4e11},
                                                {"pooled_elements_per_s", 2e11},
                                                {"reduced_rows_per_s", 8e8},
                                                {"step_latency_s", 4.5e-8},
                                                {"simt_step_latency_s", 4.5e-7},
                                                {"tile_overhead_s", 1e-6},
                                                {"l2_bytes", 2e7},
                                                {"l2_bytes_per_s", 8e12},
                                                {"dram_bytes_per_s", 4e12},
                                                {"kernel_overhead_s", 2e-6},
                                                {"convolution_overhead_s", 4.5e-6}};
  for (const auto& [key, value] : values) device.parameters[key] = value;
  return device;
}

hwmodels::ParameterFitOptions fit_options(double log_spread) {
  hwmodels::ParameterFitOptions options;
  for (const char* key :
       {"math_efficiency", "simt_efficiency", "attention_efficiency", "winograd_efficiency", "direct_efficiency", "product_simt_efficiency",
        "copied_elements_per_s", "pooled_elements_per_s", "reduced_rows_per_s", "convolution_overhead_s", "step_latency_s",
        "simt_step_latency_s", "tile_overhead_s", "l2_bytes", "l2_bytes_per_s", "dram_bytes_per_s", "kernel_overhead_s"}) {
    options.parameters.push_back({key, log_spread});
  }
  options.start_offset_ms = kStartMs;
  return options;
}

// Latency of the rows on the fitted device.
std::vector<double> predict(const hwmodels::ParameterFit& fit, const std::vector<const GpuMeasurement*>& rows) {
  DeviceSpec without_tf32 = fit.device;
  without_tf32.parameters.erase("tf32_macs_per_cycle");
  const auto full = hwmodels::make_hardware_model(fit.device), fp32 = hwmodels::make_hardware_model(without_tf32);
  std::vector<double> predicted;
  for (const GpuMeasurement* row : rows) {
    predicted.push_back((row->dtype == "fp32" ? fp32 : full)->predict(row->measured.workload).latency_ms + fit.offset_ms);
  }
  return predicted;
}

// 15 networks and 5 convolutions where there are both; fewer where the set is small.
std::vector<LatencyMeasurement> draw(const std::vector<const GpuMeasurement*>& pool, Rng& rng) {
  std::vector<const GpuMeasurement*> networks, convolutions;
  for (const GpuMeasurement* row : pool) (row->is_network ? networks : convolutions).push_back(row);
  rng.shuffle(networks);
  rng.shuffle(convolutions);
  const std::size_t of_networks = convolutions.empty() ? kMeasurements : std::min<std::size_t>(networks.size(), kMeasurements * 3 / 4);
  std::vector<LatencyMeasurement> drawn;
  for (std::size_t i = 0; i < std::min(of_networks, networks.size()); ++i) drawn.push_back(networks[i]->measured);
  for (std::size_t i = 0; i < convolutions.size() && drawn.size() < kMeasurements; ++i) drawn.push_back(convolutions[i]->measured);
  return drawn;
}

// What the calibration starts from.
struct Start {
  DeviceSpec device;
  double log_spread = 0;
  std::string protocol;
};

struct Errors {
  std::vector<double> all;
  double median() const { return 100 * measurements::median(all); }
};

// Relative errors of the rows of each model by calibrations on draws of all other models.
std::map<std::string, Errors> errors_by_model(const std::vector<GpuMeasurement>& rows, const Start& start,
                                              const std::set<std::string>& models) {
  std::map<std::string, Errors> errors;
  for (const std::string& model : models) {
    std::vector<const GpuMeasurement*> seen, unseen;
    for (const GpuMeasurement& row : rows) (row.model == model ? unseen : seen).push_back(&row);
    for (int number = 0; number < kDraws; ++number) {
      Rng rng(0, "h200 " + model, static_cast<std::uint64_t>(number));
      const std::vector<LatencyMeasurement> drawn = draw(seen, rng);
      if (drawn.empty()) continue;
      const std::vector<double> predicted = predict(hwmodels::fit_parameters(start.device, drawn, fit_options(start.log_spread)), unseen);
      for (std::size_t i = 0; i < unseen.size(); ++i) {
        errors[model].all.push_back(std::abs(predicted[i] / unseen[i]->measured.latency_ms - 1));
      }
    }
  }
  return errors;
}

// Of the steps up by more than 8 % from one measured width to the next, how many are predicted within one width; and the rank
// correlation over the curve.
struct StepAgreement {
  int measured = 0, found = 0;
};
StepAgreement compare_steps(const std::vector<double>& predicted, const std::vector<double>& measured) {
  constexpr double kStep = 1.08;
  const auto is_step = [](const std::vector<double>& curve, std::size_t i) {
    return i > 0 && i < curve.size() && curve[i] > kStep * curve[i - 1];
  };
  StepAgreement agreement;
  for (std::size_t i = 1; i < measured.size(); ++i) {
    if (!is_step(measured, i)) continue;
    ++agreement.measured;
    agreement.found += is_step(predicted, i - 1) || is_step(predicted, i) || is_step(predicted, i + 1);
  }
  return agreement;
}

void add_steps(const std::vector<GpuMeasurement>& rows, const hwmodels::ParameterFit& fit, SectionResult& result) {
  std::map<std::string, std::vector<const GpuMeasurement*>> curves;
  for (const GpuMeasurement& row : rows) {
    if (!row.is_network) curves[row.model + ", batch " + std::to_string(row.batch) + ", " + row.dtype].push_back(&row);
  }
  for (auto& [name, curve] : curves) {
    std::sort(curve.begin(), curve.end(), [](const auto* a, const auto* b) { return a->width < b->width; });
    const std::vector<double> predicted = predict(fit, curve);
    std::vector<double> measured;
    for (const GpuMeasurement* row : curve) measured.push_back(row->measured.latency_ms);
    const StepAgreement steps = compare_steps(predicted, measured);
    result.rows.push_back({.dataset = "H200 convolution",
                           .device = name,
                           .protocol = "device file",
                           .metrics = {{"median error %", 100 * measurements::median_relative_error(predicted, measured)},
                                       {"steps measured", static_cast<double>(steps.measured)},
                                       {"steps predicted", static_cast<double>(steps.found)}}});
  }
}

void add_protocol(const GpuMeasurements& data, const Start& start, SectionResult& result, double& networks, double& convolutions) {
  std::set<std::string> models, network_models;
  for (const GpuMeasurement& row : data.rows) {
    models.insert(row.model);
    if (row.is_network) network_models.insert(row.model);
  }
  Errors of_networks, of_convolutions;
  for (const auto& [model, errors] : errors_by_model(data.rows, start, models)) {
    std::vector<double>& all = (network_models.contains(model) ? of_networks : of_convolutions).all;
    all.insert(all.end(), errors.all.begin(), errors.all.end());
    result.rows.push_back(
        {.dataset = "H200", .device = model, .protocol = start.protocol, .metrics = {{"median error %", errors.median()}}});
  }
  networks = of_networks.median();
  convolutions = of_convolutions.median();
  result.rows.push_back(
      {.dataset = "H200", .device = "all networks", .protocol = start.protocol, .metrics = {{"median error %", networks}}});
  result.rows.push_back(
      {.dataset = "H200", .device = "all convolutions", .protocol = start.protocol, .metrics = {{"median error %", convolutions}}});
}

}  // namespace

SectionResult h200(const DataFolder& folder) {
  const GpuMeasurements data = read_h200(folder.rows("h200/h200_dev.csv", {"kind", "model", "width", "batch", "dtype", "median_ms"}));
  if (data.rows.empty()) throw MissingData("no row of a known network");
  const DeviceSpec file = hwmodels::load_device("nvidia-h200");
  SectionResult result;
  result.notes = data.notes;
  double sheet_networks = 0, sheet_convolutions = 0, file_networks = 0, file_convolutions = 0;
  add_protocol(data, {data_sheet(file), kSheetSpread, "model left out, data sheet + 20 measurements, 5 draws"}, result, sheet_networks,
               sheet_convolutions);
  add_protocol(data, {file, kFileSpread, "model left out, device file + 20 measurements, 5 draws"}, result, file_networks,
               file_convolutions);
  add_steps(data.rows, {.device = file, .offset_ms = kStartMs}, result);
  result.notes.push_back(
      "the device file was fitted to the developers' part of this set: there its rows have been seen, in other parts not");
  result.claims = {{"H200: median error %, networks unseen, data sheet + 20 measurements", sheet_networks, Claim::Bound::kAtMost, 10},
                   {"H200: median error %, networks unseen, device file + 20 measurements", file_networks, Claim::Bound::kAtMost, 10}};
  result.means = {{"network error %", sheet_networks}, {"convolution error %", sheet_convolutions}};
  return result;
}

}  // namespace lathe::bench

#include "bench/hardware_truth/device_sheets.h"

#include <sstream>
#include <utility>

#include "bench/measurements/csv.h"
#include "models/base/check.h"

namespace lathe::bench {
namespace {

// Host time to dispatch an operator of an eager framework from Python: about 10 us (assumption, the order of magnitude is well known).
constexpr double kEagerDispatchS = 1e-5;

void set_dispatch(hwmodels::DeviceSpec& device) {
  if (device.device_class != hwmodels::DeviceClass::kGpu) {
    device.parameters["op_overhead_s"] = kEagerDispatchS;
    return;
  }
  for (const char* key : {"kernel_overhead_s", "convolution_overhead_s"}) device.parameters[key] = kEagerDispatchS;
}

void apply_parameters(const std::string& text, hwmodels::DeviceSpec& device) {
  std::stringstream stream(text);
  for (std::string assignment; std::getline(stream, assignment, ';');) {
    const std::size_t equals = assignment.find('=');
    LATHE_CHECK(equals != std::string::npos) << "expected key=value: " << assignment;
    device.parameters[assignment.substr(0, equals)] = std::stod(assignment.substr(equals + 1));
  }
}

// What no data sheet has is taken from the base's file by that file's own rule: rates go with multiprocessors and clock, latencies with the
// clock.
void scale_kernels(const hwmodels::DeviceSpec& base, hwmodels::DeviceSpec& device) {
  if (device.device_class != hwmodels::DeviceClass::kGpu) return;
  const double clock = device.at("clock_hz") / base.at("clock_hz");
  const double lanes = clock * device.at("multiprocessors") / base.at("multiprocessors");
  for (const char* key : {"copied_elements_per_s", "pooled_elements_per_s", "reduced_rows_per_s"}) device.parameters[key] *= lanes;
  for (const char* key : {"step_latency_s", "simt_step_latency_s"}) device.parameters[key] /= clock;
}

}  // namespace

std::map<std::string, DeviceSheet> device_sheets() {
  std::map<std::string, DeviceSheet> sheets;
  for (const measurements::CsvRow& row : measurements::read_csv(LATHE_SOURCE_DIR "/bench/hardware_truth/device_sheets.csv")) {
    const hwmodels::DeviceSpec base = hwmodels::load_device(row.at("base"));
    DeviceSheet sheet{.device = base, .is_unfused = row.at("unfused") == "1"};
    if (sheet.is_unfused) set_dispatch(sheet.device);
    apply_parameters(row.at("parameters"), sheet.device);
    scale_kernels(base, sheet.device);
    sheets.emplace(row.at("chip"), std::move(sheet));
  }
  return sheets;
}

}  // namespace lathe::bench

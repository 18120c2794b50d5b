#include "bench/hardware_truth/device_sheets.h"

#include <sstream>
#include <utility>

#include "bench/measurements/csv.h"
#include "models/base/check.h"

namespace lathe::bench {
namespace {

// Host time to dispatch an operator of an eager framework from Python: about 10 us (assumption, the order of magnitude is well known).
constexpr double kEagerDispatchS = 1e-5;

void apply_parameters(const std::string& text, hwmodels::DeviceSpec& device) {
  std::stringstream stream(text);
  for (std::string assignment; std::getline(stream, assignment, ';');) {
    const std::size_t equals = assignment.find('=');
    LATHE_CHECK(equals != std::string::npos) << "expected key=value: " << assignment;
    device.parameters[assignment.substr(0, equals)] = std::stod(assignment.substr(equals + 1));
  }
}

}  // namespace

std::map<std::string, DeviceSheet> device_sheets() {
  std::map<std::string, DeviceSheet> sheets;
  for (const measurements::CsvRow& row : measurements::read_csv(LATHE_SOURCE_DIR "/bench/hardware_truth/device_sheets.csv")) {
    DeviceSheet sheet{.device = hwmodels::load_device(row.at("base")), .is_unfused = row.at("unfused") == "1"};
    if (sheet.is_unfused)
      sheet.device.parameters[sheet.device.device_class == hwmodels::DeviceClass::kGpu ? "kernel_overhead_s" : "op_overhead_s"] =
          kEagerDispatchS;
    apply_parameters(row.at("parameters"), sheet.device);
    sheets.emplace(row.at("chip"), std::move(sheet));
  }
  return sheets;
}

}  // namespace lathe::bench

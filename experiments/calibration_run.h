// `lathe calibrate`: a device file fitted to measured networks.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/measurement_file.h"
#include "hwmodels/calibration/device_calibration.h"

namespace lathe::experiments {

struct CalibrationJob {
  std::string device;        // name or file
  std::string measurements;  // CSV file
  std::string out;           // device file that is written
  int proposals = 0;         // networks to measure next, of the rows without a latency
};

struct CalibrationReport {
  hwmodels::DeviceSpec before;
  hwmodels::DeviceCalibration calibration;
  std::vector<MeasuredNetwork> measured;  // in the order of the fit
  struct Proposal {
    MeasuredNetwork network;
    double information_nats;
  };
  std::vector<Proposal> proposals;
};

// Reads, fits, writes `out`. Throws UserError.
CalibrationReport calibrate(const CalibrationJob& job);

std::string calibration_text(const CalibrationReport& report);
nlohmann::json calibration_json(const CalibrationReport& report);

}  // namespace lathe::experiments

// Calibrates a device file by measured networks: which of its numbers are fitted and how well they are believed beforehand, the fit, its
// error on networks that it did not see, and what to measure next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/calibration/experiment_design.h"
#include "hwmodels/calibration/parameter_fit.h"

namespace lathe::hwmodels {

// Standard deviation of the logarithm of a data-sheet number; empty for those that no latency can tell (counts, widths, energies). By the
// unit that ends the key, so that a new parameter of a device class is fitted like its kind.
std::optional<double> data_sheet_log_spread(const std::string& key);

// The device's parameters that are fitted, in the order of their keys.
std::vector<FittedParameter> fitted_parameters(const DeviceSpec& device);

struct DeviceCalibration {
  ParameterFit fit;                         // its device is calibrated: error bar and provenance are set
  std::vector<FittedParameter> parameters;  // in the order of the fit's covariance
  double noise = 0;                         // relative deviation of an ordinary measurement from the model
  double cross_validated_error = 0;         // median relative error on measurements left out of the fit
  std::vector<int> outliers;                // measurements that the fit disbelieves
};

// Measured on the device, whose model must be additive. At least one measurement. `source` names the measurements in the provenance.
DeviceCalibration calibrate_device(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements,
                                   const std::string& source);

// The networks of `candidates` that tell most about the parameters, best first.
std::vector<ProposedMeasurement> propose_networks(const DeviceCalibration& calibration, const std::vector<policies::Workload>& candidates,
                                                  int count);
// The same before anything was measured: from the data sheet alone.
std::vector<ProposedMeasurement> propose_networks(const DeviceSpec& device, const std::vector<policies::Workload>& candidates, int count);

}  // namespace lathe::hwmodels

// What `lathe latency` and `lathe devices` say.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hwmodels/device_spec.h"
#include "hwmodels/hardware_model.h"
#include "policies/policy.h"

namespace lathe::experiments {

// Predicts the network of the ONNX file, under the policy where one is given. Throws UserError where the policy does not fit.
hwmodels::Prediction predict_file(const std::string& model, const hwmodels::HardwareModel& hardware, const policies::Policy* policy,
                                  int batch);

nlohmann::json prediction_json(const hwmodels::Prediction& prediction, const hwmodels::DeviceSpec& device, int batch);
std::string prediction_text(const hwmodels::Prediction& prediction, const hwmodels::DeviceSpec& device, int batch);

nlohmann::json device_json(const hwmodels::DeviceSpec& device);
std::string device_text(const hwmodels::DeviceSpec& device);                 // with every parameter and its source
std::string devices_text(const std::vector<hwmodels::DeviceSpec>& devices);  // one line each

}  // namespace lathe::experiments

// `lathe compress`: one policy into an ONNX file.
#pragma once

#include <string>

#include "experiments/config/experiment_config.h"
#include "experiments/progress.h"
#include "policies/policy.h"

namespace lathe::experiments {

struct CompressOutcome {
  bool is_finished = false;   // false: interrupted
  std::string model, policy;  // paths: OUT/NAME.onnx, OUT/policy.json
  std::string metrics;        // JSON: the policy file's metrics, float accuracy, speed-ups
  std::string summary;        // the same for people
};

// Throws UserError where the policy does not fit, there is no data, or the folder cannot be written.
CompressOutcome run_compression(const ExperimentConfig& config, const policies::Policy& policy, const std::string& output,
                                Progress& progress);

}  // namespace lathe::experiments

// `lathe train`: a base network where the user has none.
#pragma once

#include <string>

#include "experiments/config/experiment_config.h"
#include "experiments/progress.h"

namespace lathe::experiments {

struct TrainOutcome {
  bool is_finished = false;  // false: interrupted
  std::string summary;       // parameters, accuracy on all rows that were not trained on
};

// Trains the residual network that the config's `train:` section describes on the data's training rows and writes it to `output`. Throws
// UserError.
TrainOutcome run_training(const ExperimentConfig& config, const std::string& output, Progress& progress);

}  // namespace lathe::experiments

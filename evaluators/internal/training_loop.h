// The loop behind `train`, open to what happens between steps (quantization-aware training refreshes its scales there).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "evaluators/trainer.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {

struct TrainingHooks {
  // After the update of step `step` (from 1), for each copy of the network, with equal weights: may change constants that are not trained.
  std::function<void(const models::Executor& executor, std::int64_t step)> after_step;
  // Where the training goes on from, in the bytes that save_state() was given by one with the same arguments; none, or bytes that do not
  // fit: from the start. What follows is what would have followed without the interruption, bit for bit.
  std::function<std::optional<std::string>()> load_state;
  // With progress reports, not more often than every save_interval_s seconds, and when the progress callback stops the training.
  std::function<void(const std::string& bytes)> save_state;
  double save_interval_s = 30;
};

TrainResult run_training(const models::Network& network, const Rows& rows, const TrainOptions& options, const TrainCallback& progress,
                         const models::Network* teacher, const TrainingHooks& hooks);

// Steps an epoch: a last batch that is not full is left out, unless it is the only one.
std::int64_t steps_per_epoch(std::int64_t rows, std::int64_t batch_size);

}  // namespace lathe::evaluators::internal

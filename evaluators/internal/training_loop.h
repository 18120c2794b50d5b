// The loop behind `train`, open to what happens between steps (quantization-aware training refreshes its scales there).
#pragma once

#include <functional>

#include "evaluators/trainer.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {

struct TrainingHooks {
  // After the update of step `step` (from 1), for each copy of the network, with equal weights: may change constants that are not trained.
  std::function<void(const models::Executor& executor, std::int64_t step)> after_step;
};

TrainResult run_training(const models::Network& network, const Rows& rows, const TrainOptions& options, const TrainCallback& progress,
                         const models::Network* teacher, const TrainingHooks& hooks);

// Steps an epoch: a last batch that is not full is left out, unless it is the only one.
std::int64_t steps_per_epoch(std::int64_t rows, std::int64_t batch_size);

}  // namespace lathe::evaluators::internal

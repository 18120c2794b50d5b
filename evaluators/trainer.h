// Trains a Network by stochastic gradient descent on the Executor: SGD with momentum (Nesterov's by default) or AdamW, cosine learning rate
// after a linear warm-up (I. Loshchilov, F. Hutter, SGDR, ICLR 2017, eq. 5 without restarts), label smoothing (C. Szegedy et al., 2016,
// section 7), optionally an exponential moving average of the weights and distillation from a teacher (internal/training_loss.h).
// Deterministic for a seed: the batch is cut into `shards` whose gradients are added in a fixed order, whatever runs them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "evaluators/dataset.h"
#include "evaluators/training_batches.h"
#include "models/network.h"

namespace lathe::evaluators {

struct TrainOptions {
  double epochs = 20;  // fractions are legal: the number of steps is rounded
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;     // peak
  std::string optimizer = "sgd";  // or "adamw", which has no use for momentum and nesterov
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 5e-4;  // on weights of two or more dimensions only
  double warmup_epochs = 1;
  double label_smoothing = 0;  // in [0, 1)
  AugmentationOptions augmentation;
  double ema_decay = 0;          // 0 = none; else the averaged weights are returned
  double gradient_norm = 0;      // 0 = no clipping; else gradients are scaled down to this Euclidean norm
  bool batch_statistics = true;  // BatchNormalization in training mode; false = running statistics stay as they are
  double batch_norm_momentum = 0.1;
  bool keeps_zeros = false;  // weights (of two or more dimensions) that are zero at the start stay zero: a pruned network stays pruned
  double distillation_weight = 0;  // share of the loss that comes from the teacher, in [0, 1]
  double distillation_temperature = 4;
  double feature_distillation = 0;  // weight of the teacher's features beside that loss (internal/training_loss.h); 0 = none
  int shards = 1;  // parts of a batch that run in parallel (CPU); part of the result, unlike the thread count
  std::uint64_t seed = 0;
  std::string device = "cpu";  // or "cuda"
  // Throws UserError naming the option.
  void validate() const;
};

struct TrainProgress {
  std::int64_t step = 0, steps = 0;  // done, of all
  double epoch = 0;
  double loss = 0;      // mean since the last call
  double accuracy = 0;  // on the training batches since the last call; 0 for detectors
  double learning_rate = 0;
};

struct TrainSummary {
  std::int64_t steps = 0;
  double first_loss = 0, final_loss = 0;  // means over the first and last tenth of the steps
  double final_accuracy = 0;              // on the augmented training batches of the last tenth
  double seconds = 0;
  bool is_stopped = false;  // the callback said so
  std::string to_string() const;
};

struct TrainResult {
  models::Network network;
  TrainSummary summary;
};

// Called about 20 times an epoch and at the end; false stops the training, which then returns what it has.
using TrainCallback = std::function<bool(const TrainProgress&)>;

// teacher: null unless distillation_weight or feature_distillation > 0; same inputs and outputs as the network. Throws UserError for bad
// options, and std::runtime_error where the loss is no longer finite.
TrainResult train(const models::Network& network, const Rows& rows, const TrainOptions& options, const TrainCallback& progress = {},
                  const models::Network* teacher = nullptr);

// Learning rate of a step in [0, steps).
double learning_rate_at(const TrainOptions& options, std::int64_t step, std::int64_t steps, std::int64_t warmup_steps);

}  // namespace lathe::evaluators

#include "evaluators/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include "evaluators/internal/training_loop.h"
#include "models/base/error.h"

namespace lathe::evaluators {

void TrainOptions::validate() const {
  std::vector<Fault> faults;
  const auto require = [&](bool is_right, const std::string& key, const std::string& expected, const auto& got) {
    std::ostringstream text;
    text << got;
    if (!is_right) faults.push_back({.key = key, .expected = "expected " + expected, .got = text.str()});
  };
  // Comparisons are written so that NaN fails them.
  require(epochs > 0 && epochs <= 1e5, "epochs", "a number above 0", epochs);
  require(batch_size >= 1, "batch_size", "at least 1", batch_size);
  require(learning_rate > 0 && learning_rate <= 1e3, "learning_rate", "a number above 0", learning_rate);
  require(momentum >= 0 && momentum < 1, "momentum", "a number in [0, 1)", momentum);
  require(weight_decay >= 0 && weight_decay <= 1, "weight_decay", "a number in [0, 1]", weight_decay);
  require(warmup_epochs >= 0 && warmup_epochs <= 1e5, "warmup_epochs", "a number not below 0", warmup_epochs);
  require(label_smoothing >= 0 && label_smoothing < 1, "label_smoothing", "a number in [0, 1)", label_smoothing);
  require(ema_decay >= 0 && ema_decay < 1, "ema_decay", "a number in [0, 1)", ema_decay);
  require(gradient_norm >= 0, "gradient_norm", "a number not below 0", gradient_norm);
  require(batch_norm_momentum > 0 && batch_norm_momentum <= 1, "batch_norm_momentum", "a number in (0, 1]", batch_norm_momentum);
  require(distillation_weight >= 0 && distillation_weight <= 1, "distillation_weight", "a number in [0, 1]", distillation_weight);
  require(distillation_temperature > 0, "distillation_temperature", "a number above 0", distillation_temperature);
  require(feature_distillation >= 0 && feature_distillation <= 1e6, "feature_distillation", "a number not below 0", feature_distillation);
  require(shards >= 1 && shards <= batch_size, "shards", "a number from 1 to batch_size", shards);
  require(augmentation.crop_padding >= 0, "augmentation.crop_padding", "at least 0", augmentation.crop_padding);
  require(augmentation.cutout >= 0, "augmentation.cutout", "at least 0", augmentation.cutout);
  require(optimizer == "sgd" || optimizer == "adamw", "optimizer", "sgd or adamw", optimizer);
  require(device == "cpu" || device == "cuda", "device", "cpu or cuda", device);
  if (!faults.empty()) throw UserError(faults);
}

std::string TrainSummary::to_string() const {
  std::ostringstream text;
  text << steps << " steps in " << std::llround(seconds) << " s, loss " << first_loss << " -> " << final_loss
       << ", accuracy on training batches " << final_accuracy << (is_stopped ? " (stopped early)" : "");
  return text.str();
}

double learning_rate_at(const TrainOptions& options, std::int64_t step, std::int64_t steps, std::int64_t warmup_steps) {
  warmup_steps = std::min(warmup_steps, steps / 2);
  if (step < warmup_steps) return options.learning_rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  const double done = static_cast<double>(step - warmup_steps) / static_cast<double>(std::max<std::int64_t>(steps - warmup_steps, 1));
  return options.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

TrainResult train(const models::Network& network, const Rows& rows, const TrainOptions& options, const TrainCallback& progress,
                  const models::Network* teacher) {
  return internal::run_training(network, rows, options, progress, teacher, {});
}

}  // namespace lathe::evaluators

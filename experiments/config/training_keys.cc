#include "experiments/config/training_keys.h"

#include <utility>

#include "experiments/config/key_makers.h"
#include "experiments/config/special_keys.h"

namespace lathe::experiments {
namespace {

constexpr double kMostEpochs = 1e5, kHighestRate = 100, kWidest = 65536;

#define MEMBER(expression)            \
  [](ExperimentConfig & c) -> auto& { \
    return c.expression;              \
  }

// The keys that both sections have, in each of them.
class TrainingKeys {
 public:
  using Options = evaluators::TrainOptions& (*)(ExperimentConfig&);
  TrainingKeys(std::string section, Options options) : section_(std::move(section)), options_(options) {}

#define OPTION(expression)                              \
  [options = options_](ExperimentConfig & c) -> auto& { \
    return options(c).expression;                       \
  }

  ConfigKey optimizer() const {
    return key(section_ + ".optimizer", OPTION(optimizer), {.choices = {"sgd", "adamw"}},
               "Stochastic gradient descent with Nesterov's momentum, or AdamW.");
  }
  ConfigKey weight_decay(std::string help) const {
    return key(section_ + ".weight_decay", OPTION(weight_decay), {.at_least = 0, .at_most = 1}, std::move(help));
  }
  ConfigKey warmup_epochs(std::string help) const {
    return key(section_ + ".warmup_epochs", OPTION(warmup_epochs), {.at_least = 0, .at_most = kMostEpochs}, std::move(help));
  }
  ConfigKey label_smoothing() const {
    return key(section_ + ".label_smoothing", OPTION(label_smoothing), {.at_least = 0, .at_most = 0.999},
               "Share of the label spread evenly.");
  }
  ConfigKey ema_decay() const {
    return key(section_ + ".ema_decay", OPTION(ema_decay), {.at_least = 0, .at_most = 0.99999}, "Moving average of the weights; 0 = none.");
  }
  ConfigKey device() const {
    return key(section_ + ".device", OPTION(device), {.choices = {"cpu", "cuda"}},
               "Where to train; cuda needs a LibTorch that was built for it (LATHE_TORCH_DIR).");
  }
  ConfigKey batch_size(std::string help) const {
    return key(section_ + ".batch_size", OPTION(batch_size), {.at_least = 1, .at_most = kWidest}, std::move(help));
  }
  ConfigKey shards() const {
    return key(section_ + ".shards", OPTION(shards), {.at_least = 1, .at_most = 256},
               "Parts of a batch that run in parallel; part of the result.");
  }
  ConfigKey crop_padding() const {
    return key(section_ + ".crop_padding", OPTION(augmentation.crop_padding), {.at_least = 0, .at_most = 64},
               "Pixels of padding before a random crop.");
  }
  ConfigKey horizontal_flip() const {
    return key(section_ + ".horizontal_flip", OPTION(augmentation.horizontal_flip), {}, "Mirror half of the images.");
  }

#undef OPTION

 private:
  std::string section_;
  Options options_;
};

}  // namespace

std::vector<ConfigKey> recover_keys() {
  const TrainingKeys keys("recover", [](ExperimentConfig& c) -> evaluators::TrainOptions& { return c.recover.recovery.training; });
  return {
      key("recover.policies", MEMBER(recover.policies), {.at_least = 0, .at_most = 1000},
          "Policies a device that are recovered, tested and written as ONNX files."),
      key("recover.recoverable_loss", MEMBER(recover.recoverable_loss), {.at_least = 0, .at_most = 100},
          "Points beyond constraints.accuracy_loss that training may win back: how far down the front policies are recovered."),
      key("recover.only_where_needed", MEMBER(recover.only_where_needed), {},
          "Spare policies that meet the loss as they are the training: faster, a little less accurate."),
      key("recover.checkpoint_seconds", MEMBER(recover.checkpoint_seconds), {.at_least = 0, .at_most = 86400},
          "How often the state of a training is kept for --resume; 0 = twenty times an epoch."),
      key("recover.fine_tune_epochs", MEMBER(recover.recovery.fine_tune_epochs), {.at_least = 0, .at_most = kMostEpochs},
          "Epochs of fine-tuning after pruning; 0 = none."),
      key("recover.qat_epochs", MEMBER(recover.recovery.qat_epochs), {.at_least = 0, .at_most = kMostEpochs},
          "Epochs of quantization-aware training after that; 0 = none."),
      stages_key(),
      key("recover.fine_tune_learning_rate", MEMBER(recover.recovery.fine_tune_learning_rate), {.at_least = 0, .at_most = kHighestRate},
          "Highest learning rate of the fine-tuning."),
      key("recover.qat_learning_rate", MEMBER(recover.recovery.qat_learning_rate), {.at_least = 0, .at_most = kHighestRate},
          "Highest learning rate of the quantization-aware training."),
      key("recover.qat_method", MEMBER(recover.recovery.qat_method), {.choices = {"ste", "lsq", "lsq+", "pact"}},
          "Quantization-aware training with scales that follow the weights and calibrated ranges (ste), or with scales that are learned: "
          "all (lsq), with the offsets of activations (lsq+), those of activations (pact)."),
      key("recover.distillation", MEMBER(recover.recovery.distillation_weight), {.at_least = 0, .at_most = 1},
          "Share of the loss that comes from the float network's answers."),
      key("recover.feature_distillation", MEMBER(recover.recovery.training.feature_distillation), {.at_least = 0, .at_most = 1e6},
          "Weight of the relative error of the float network's residual sums, beside that loss; 0 = none."),
      keys.optimizer(),
      keys.weight_decay("L2 penalty on the weights; with adamw their decay."),
      keys.warmup_epochs("Epochs over which the learning rate rises, at most half of each training."),
      keys.label_smoothing(),
      keys.ema_decay(),
      keys.device(),
      keys.batch_size("Rows a training step."),
      keys.shards(),
      keys.crop_padding(),
      keys.horizontal_flip(),
  };
}

std::vector<ConfigKey> train_keys() {
  const TrainingKeys keys("train", [](ExperimentConfig& c) -> evaluators::TrainOptions& { return c.train.training; });
  return {
      key("train.widths", MEMBER(train.network.widths), {.at_least = 1, .at_most = kWidest, .needs_entry = true},
          "lathe train: channels of each stage of the residual network, which becomes a detector for data.kind detection."),
      key("train.blocks_per_stage", MEMBER(train.network.blocks_per_stage), {.at_least = 1, .at_most = 1000}, "Residual blocks a stage."),
      key("train.stem_width", MEMBER(train.network.stem_width), {.at_least = 0, .at_most = kWidest},
          "Channels of the first convolution; 0 = those of the first stage."),
      key("train.stem_stride", MEMBER(train.network.stem_stride), {.at_least = 1, .at_most = 4}, "Stride of the first convolution."),
      key("train.epochs", MEMBER(train.training.epochs), {.at_least = 0.001, .at_most = kMostEpochs}, "Passes over the training rows."),
      keys.batch_size("Rows a step."),
      key("train.learning_rate", MEMBER(train.training.learning_rate), {.at_least = 0, .at_most = kHighestRate}, "Highest learning rate."),
      keys.optimizer(),
      key("train.momentum", MEMBER(train.training.momentum), {.at_least = 0, .at_most = 0.9999}, "Of the stochastic gradient descent."),
      keys.weight_decay("L2 penalty on the weights."),
      keys.warmup_epochs("Epochs over which the learning rate rises."),
      keys.label_smoothing(),
      keys.crop_padding(),
      keys.horizontal_flip(),
      key("train.cutout", MEMBER(train.training.augmentation.cutout), {.at_least = 0, .at_most = 1024},
          "Side of a square that is blanked; 0 = none."),
      keys.ema_decay(),
      keys.shards(),
      keys.device(),
  };
}

#undef MEMBER

}  // namespace lathe::experiments

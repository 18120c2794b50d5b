#include "evaluators/internal/training_loop.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>

#include "evaluators/internal/label_loss.h"
#include "evaluators/internal/learned_scales.h"
#include "evaluators/internal/network_rows.h"
#include "evaluators/internal/optimizer.h"
#include "evaluators/internal/training_loss.h"
#include "evaluators/internal/training_state.h"
#include "models/base/check.h"
#include "models/base/error.h"

namespace lathe::evaluators::internal {
namespace {

// A copy of the network for one shard of the batch: weights equal to all others', BatchNormalization statistics its own.
struct Replica {
  models::Executor executor;
  std::vector<at::Tensor> parameters;
  std::vector<double> step_factors;    // of AdamW
  std::vector<at::Tensor> statistics;  // BatchNormalization's running ones
  // Parameters with zeros that stay, and what they are multiplied by after each step.
  std::vector<at::Tensor> sparse_parameters, masks;

  Replica(const models::Network& network, const TrainOptions& options) : executor(network, options.device) {
    const std::map<models::ValueId, double> of_scales = scale_step_factors(network);
    for (auto& [id, parameter] : executor.trainable()) {
      parameter.requires_grad_(true);
      parameters.push_back(parameter);
      step_factors.push_back(of_scales.contains(id) ? of_scales.at(id) : 1);
      if (options.keeps_zeros && parameter.dim() >= 2) add_mask(parameter);
    }
    for (const auto& node : network.nodes) {
      if (node.op != "BatchNormalization") continue;
      for (const int input : {3, 4}) statistics.push_back(executor.constant(node.inputs[static_cast<std::size_t>(input)]));
    }
  }

 private:
  void add_mask(const at::Tensor& parameter) {
    const at::Tensor mask = parameter.detach().ne(0);
    if (mask.all().item().toBool()) return;
    sparse_parameters.push_back(parameter);
    masks.push_back(mask.to(parameter.scalar_type()));
  }
};

struct ShardResult {
  double loss = 0;  // its share of the batch's mean
  std::int64_t correct = 0;
};

struct Progress {
  double loss = 0;
  std::int64_t correct = 0, samples = 0, batches = 0;

  void add(const Progress& other) {
    loss += other.loss;
    correct += other.correct;
    samples += other.samples;
    batches += other.batches;
  }

  // As numbers in a tensor [kNumbers or more], double.
  static constexpr std::int64_t kNumbers = 4;
  void write(const at::Tensor& numbers) const {
    const double all[] = {loss, static_cast<double>(correct), static_cast<double>(samples), static_cast<double>(batches)};
    for (std::int64_t i = 0; i < kNumbers; ++i) numbers[i].fill_(all[i]);
  }
  static Progress of(const at::Tensor& numbers) {
    const auto count = [&](std::int64_t i) { return numbers[i].item().toLong(); };
    return {.loss = numbers[0].item().toDouble(), .correct = count(1), .samples = count(2), .batches = count(3)};
  }

  double mean_loss() const { return batches > 0 ? loss / static_cast<double>(batches) : 0; }
  double accuracy() const { return samples > 0 ? static_cast<double>(correct) / static_cast<double>(samples) : 0; }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// While it lives cuDNN times its kernels for each new shape and takes the fastest: a training runs the same shapes thousands of times.
class FastestConvolutions {
 public:
  explicit FastestConvolutions(const std::string& device) : before_(at::globalContext().benchmarkCuDNN()) {
    if (device != "cpu") at::globalContext().setBenchmarkCuDNN(true);
  }
  ~FastestConvolutions() { at::globalContext().setBenchmarkCuDNN(before_); }
  FastestConvolutions(const FastestConvolutions&) = delete;
  FastestConvolutions& operator=(const FastestConvolutions&) = delete;

 private:
  bool before_;
};

class TrainingLoop {
 public:
  TrainingLoop(const models::Network& network, const Rows& rows, const TrainOptions& options, const models::Network* teacher,
               const TrainingHooks& hooks)
      : rows_(rows),
        options_(options),
        hooks_(hooks),
        outputs_(network.outputs),
        loss_(network, teacher, options),
        batch_size_(std::min(options.batch_size, rows.size())),
        per_epoch_(steps_per_epoch(rows.size(), options.batch_size)) {
    steps_ = std::max<std::int64_t>(1, std::llround(options.epochs * static_cast<double>(per_epoch_)));
    warmup_steps_ = std::llround(options.warmup_epochs * static_cast<double>(per_epoch_));
    const int shards = static_cast<int>(std::min<std::int64_t>(options.shards, batch_size_));
    for (int i = 0; i < shards; ++i) replicas_.push_back(std::make_unique<Replica>(loss_.with_features(network), options));
    optimizer_ = make_optimizer(options, replicas_[0]->parameters, replicas_[0]->step_factors);
    if (options.ema_decay > 0) {
      for (const auto& tensor : averaged_tensors()) averages_.push_back(tensor.detach().clone());
    }
  }

  TrainResult run(const TrainCallback& progress) {
    const auto start = std::chrono::steady_clock::now();
    // About 20 calls an epoch are enough for a progress bar and cheap for any callback.
    const std::int64_t report_interval = std::max<std::int64_t>(1, per_epoch_ / 20);
    const std::int64_t tenth = std::max<std::int64_t>(1, steps_ / 10);
    TrainSummary summary{.steps = resume()};
    while (summary.steps < steps_ && !summary.is_stopped) {
      const double rate = learning_rate_at(options_, summary.steps, steps_, warmup_steps_);
      const Progress result = one_step(summary.steps, rate);
      since_report_.add(result);
      if (summary.steps < tenth) first_.add(result);
      if (summary.steps >= steps_ - tenth) last_.add(result);
      ++summary.steps;
      if (summary.steps % report_interval != 0 && summary.steps != steps_) continue;
      const TrainProgress now{.step = summary.steps,
                              .steps = steps_,
                              .epoch = static_cast<double>(summary.steps) / static_cast<double>(per_epoch_),
                              .loss = since_report_.mean_loss(),
                              .accuracy = since_report_.accuracy(),
                              .learning_rate = rate};
      since_report_ = {};
      summary.is_stopped = progress && !progress(now);
      save(summary);
    }
    summary.first_loss = first_.mean_loss();
    summary.final_loss = last_.mean_loss();
    summary.final_accuracy = last_.accuracy();
    summary.seconds = seconds_since(start);
    return {.network = finish(), .summary = summary};
  }

 private:
  std::vector<at::Tensor> averaged_tensors() const {
    std::vector<at::Tensor> tensors = replicas_[0]->parameters;
    tensors.insert(tensors.end(), replicas_[0]->statistics.begin(), replicas_[0]->statistics.end());
    return tensors;
  }

  // All that steps change, in one order: constants of each replica (weights, statistics, scales), averages, the optimizer's.
  std::vector<at::Tensor> state() const {
    std::vector<at::Tensor> tensors;
    for (const auto& replica : replicas_) {
      const models::Network& network = replica->executor.network();
      for (const auto& [id, constant] : network.constants) {
        if (constant.type() == models::DataType::kFloat32) tensors.push_back(replica->executor.constant(id));
      }
    }
    tensors.insert(tensors.end(), averages_.begin(), averages_.end());
    const std::vector<at::Tensor> of_optimizer = optimizer_->state();
    tensors.insert(tensors.end(), of_optimizer.begin(), of_optimizer.end());
    return tensors;
  }

  // The steps that are done already.
  std::int64_t resume() {
    if (!hooks_.load_state) return 0;
    const std::optional<std::string> bytes = hooks_.load_state();
    if (!bytes) return 0;
    const at::Tensor counts = at::zeros({2, 1 + Progress::kNumbers}, at::kDouble);
    std::vector<at::Tensor> tensors = state();
    tensors.push_back(counts);
    if (!restore_state(*bytes, tensors)) return 0;
    first_ = Progress::of(counts[0]);
    last_ = Progress::of(counts[1]);
    return counts[0][Progress::kNumbers].item().toLong();
  }

  void save(const TrainSummary& summary) {
    if (!hooks_.save_state || summary.steps == steps_) return;
    if (!summary.is_stopped && seconds_since(saved_) < hooks_.save_interval_s) return;
    const at::Tensor counts = at::zeros({2, 1 + Progress::kNumbers}, at::kDouble);
    first_.write(counts[0]);
    last_.write(counts[1]);
    counts.select(1, Progress::kNumbers).fill_(static_cast<double>(summary.steps));
    std::vector<at::Tensor> tensors = state();
    tensors.push_back(counts);
    hooks_.save_state(state_bytes(tensors));
    saved_ = std::chrono::steady_clock::now();
  }

  Progress one_step(std::int64_t step, double rate) {
    const std::int64_t epoch = step / per_epoch_, in_epoch = step % per_epoch_;
    if (in_epoch == 0 || order_.empty()) order_ = epoch_order(rows_.size(), options_.seed, epoch);
    const auto begin = order_.begin() + in_epoch * batch_size_;
    const std::vector<std::int64_t> batch(begin, begin + batch_size_);
    const std::size_t shards = replicas_.size();
    std::vector<ShardResult> results(shards);
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, shards, 1),
        [&](const tbb::blocked_range<std::size_t>& range) {
          for (std::size_t s = range.begin(); s != range.end(); ++s) {
            const auto from = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() * s / shards);
            const auto to = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() * (s + 1) / shards);
            results[s] = run_shard(*replicas_[s], {from, to}, epoch);
          }
        },
        tbb::simple_partitioner());
    Progress progress{.samples = batch_size_, .batches = 1};
    for (const auto& result : results) {
      progress.loss += result.loss;
      progress.correct += result.correct;
    }
    if (!std::isfinite(progress.loss)) {
      throw std::runtime_error("training diverged: the loss is not finite at step " + std::to_string(step + 1) + " (learning rate " +
                               std::to_string(rate) + "); lower the learning rate");
    }
    update(rate);
    if (hooks_.after_step) {
      for (const auto& replica : replicas_) hooks_.after_step(replica->executor, step + 1);
    }
    return progress;
  }

  // Forward and backward; gradients stay in the replica's parameters.
  ShardResult run_shard(Replica& replica, const std::vector<std::int64_t>& indices, std::int64_t epoch) const {
    at::set_num_threads(1);
    auto inputs =
        as_network_inputs(replica.executor.network(), augmented_batch(rows_, indices, options_.augmentation, options_.seed, epoch));
    for (auto& input : inputs) input = input.to(at::Device(options_.device));
    const at::Tensor labels = augmented_labels(rows_, indices, options_.augmentation, options_.seed, epoch).to(at::Device(options_.device));
    const c10::AutoGradMode with_grad(true);
    const auto outputs =
        replica.executor.run(inputs, {.batch_statistics = options_.batch_statistics, .batch_norm_momentum = options_.batch_norm_momentum});
    const double share = static_cast<double>(indices.size()) / static_cast<double>(batch_size_);
    const at::Tensor loss = loss_(inputs, outputs, labels).mul(share);
    loss.backward();
    return {.loss = loss.item().toDouble(), .correct = count_correct(outputs, labels)};
  }

  // Adds the shards' gradients in order, steps the first replica, and copies its weights to the others.
  void update(double rate) {
    const c10::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (std::size_t p = 0; p < replicas_[0]->parameters.size(); ++p) {
      at::Tensor sum = replicas_[0]->parameters[p].grad();
      for (std::size_t s = 1; s < replicas_.size(); ++s) {
        const at::Tensor& other = replicas_[s]->parameters[p].grad();
        if (sum.defined() && other.defined()) sum.add_(other);
      }
      gradients.push_back(sum);
    }
    if (options_.gradient_norm > 0) clip_gradients(gradients, options_.gradient_norm);
    optimizer_->step(gradients, rate);
    if (const Replica& stepped = *replicas_[0]; !stepped.masks.empty()) at::_foreach_mul_(stepped.sparse_parameters, stepped.masks);
    for (std::size_t s = 0; s < replicas_.size(); ++s) {
      for (std::size_t p = 0; p < gradients.size(); ++p) {
        replicas_[s]->parameters[p].mutable_grad().reset();
        if (s > 0) replicas_[s]->parameters[p].copy_(replicas_[0]->parameters[p]);
      }
    }
    if (options_.ema_decay <= 0) return;
    at::_foreach_mul_(averages_, options_.ema_decay);
    at::_foreach_add_(averages_, averaged_tensors(), 1 - options_.ema_decay);
  }

  models::Network finish() {
    const c10::NoGradGuard no_grad;
    const auto tensors = averaged_tensors();
    for (std::size_t i = 0; i < averages_.size(); ++i) tensors[i].copy_(averages_[i]);
    auto& statistics = replicas_[0]->statistics;
    for (std::size_t i = 0; averages_.empty() && i < statistics.size(); ++i) {
      for (std::size_t s = 1; s < replicas_.size(); ++s) statistics[i].add_(replicas_[s]->statistics[i]);
      statistics[i].div_(static_cast<double>(replicas_.size()));
    }
    models::Network network = replicas_[0]->executor.snapshot();
    network.outputs = outputs_;
    return network;
  }

  const Rows& rows_;
  const TrainOptions& options_;
  const TrainingHooks& hooks_;
  std::vector<models::ValueId> outputs_;  // of the network that is trained
  TrainingLoss loss_;
  std::int64_t batch_size_, per_epoch_, steps_ = 0, warmup_steps_ = 0;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<at::Tensor> averages_;
  std::vector<std::int64_t> order_;       // of the epoch
  Progress since_report_, first_, last_;  // the latter of the first and last tenth of the steps
  std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
};

}  // namespace

std::int64_t steps_per_epoch(std::int64_t rows, std::int64_t batch_size) {
  return std::max<std::int64_t>(1, rows / batch_size);
}

TrainResult run_training(const models::Network& network, const Rows& rows, const TrainOptions& options, const TrainCallback& progress,
                         const models::Network* teacher, const TrainingHooks& hooks) {
  options.validate();
  if (rows.size() == 0) throw UserError("training needs labelled training rows, but the data set has none");
  const FastestConvolutions fastest(options.device);
  return TrainingLoop(network, rows, options, teacher, hooks).run(progress);
}

}  // namespace lathe::evaluators::internal

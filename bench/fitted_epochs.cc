#include "bench/fitted_epochs.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace lathe::bench {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Mark {
  double time, epoch;
};

}  // namespace

evaluators::RecoveryOptions fitted(evaluators::RecoveryOptions options, const LentTime& lent,
                                   const std::function<void(const evaluators::RecoveryOptions&, const Progress&)>& recover) {
  constexpr std::size_t kLeastMarks = 4;
  constexpr double kLeastTrial = 10, kFewEpochs = 0.01, kManyEpochs = 1e4;
  options.stages = evaluators::stages_of(options);
  double epochs = 0;
  for (const auto& stage : options.stages) epochs += stage.epochs;
  if (epochs <= 0) return options;

  evaluators::RecoveryOptions trial = options;
  evaluators::RecoveryStage* last = nullptr;
  for (auto& stage : trial.stages) {
    if (stage.epochs <= 0) continue;
    stage.epochs = kFewEpochs * stage.steps;
    last = &stage;
  }
  last->epochs = kManyEpochs;
  last->steps = 1;
  const double begin = now();
  std::string name;
  std::vector<Mark> marks;
  recover(trial, [&](const evaluators::RecoveryProgress& progress) {
    if (progress.stage != name) marks.clear();
    name = progress.stage;
    marks.push_back({now(), progress.progress.epoch});
    return marks.size() < kLeastMarks || marks.back().time < std::max(lent.probe_until, marks.front().time + kLeastTrial);
  });
  const Mark &first = marks[marks.size() / 2], &end = marks.back();
  const double preparation = marks.front().time - begin, seconds_an_epoch = (end.time - first.time) / (end.epoch - first.epoch);
  const double factor = (lent.train_until - now() - preparation) / (seconds_an_epoch * epochs);
  for (auto& stage : options.stages) stage.epochs *= std::clamp(factor, 0.01, 1.0);
  return options;
}

}  // namespace lathe::bench

#include "experiments/sweep/sweep_plan.h"

#include <algorithm>

#include "experiments/config/config_values.h"
#include "models/base/error.h"

namespace lathe::experiments {

SweepPlan expand(const SweepFile& file) {
  constexpr std::size_t kMostTasks = 100000;
  SweepPlan plan;
  std::size_t count = 1;
  for (const Axis& axis : file.axes) {
    plan.keys.insert(plan.keys.end(), axis.keys.begin(), axis.keys.end());
    count *= axis.points.size();
    if (count > kMostTasks)
      throw UserError(Fault{.file = file.file, .expected = "the sweep has more than " + std::to_string(kMostTasks) + " searches"});
  }
  for (std::size_t number = 0; number < count; ++number) {
    SweepTask task{.number = static_cast<int>(number)};
    std::size_t rest = number, block = count;
    for (const Axis& axis : file.axes) {
      block /= axis.points.size();
      const std::vector<std::string>& point = axis.points[rest / block];
      rest %= block;
      task.values.insert(task.values.end(), point.begin(), point.end());
    }
    plan.tasks.push_back(std::move(task));
  }
  return plan;
}

std::vector<std::string> overrides_of(const SweepPlan& plan, const SweepTask& task) {
  std::vector<std::string> overrides;
  for (std::size_t k = 0; k < plan.keys.size(); ++k) overrides.push_back(plan.keys[k] + "=" + task.values[k]);
  return overrides;
}

std::string describe(const SweepPlan& plan, const SweepTask& task) {
  return join(overrides_of(plan, task));
}

std::string compared_key(const SweepFile& file) {
  if (!file.compare.empty()) return file.compare;
  std::string first;
  for (const Axis& axis : file.axes) {
    for (const std::string& key : axis.keys) {
      if (key == "search.agents") return key;
      const bool is_problem = key == "model" || key == "devices" || key.starts_with("data.");
      if (first.empty() && !is_problem && key != "seed") first = key;
    }
  }
  return first;
}

}  // namespace lathe::experiments

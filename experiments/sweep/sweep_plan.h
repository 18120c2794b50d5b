// The searches of a sweep, one by one: the product of its axes, the last axis fastest.
#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/sweep_file.h"

namespace lathe::experiments {

struct SweepTask {
  int number = 0;
  std::vector<std::string> values;  // YAML, one for each of SweepPlan::keys
  bool operator==(const SweepTask&) const = default;
};

struct SweepPlan {
  std::vector<std::string> keys;  // of the config, all axes' in a row
  std::vector<SweepTask> tasks;
  bool operator==(const SweepPlan&) const = default;
};

// Throws UserError where there are more than a hundred thousand.
SweepPlan expand(const SweepFile& file);

// The task's own "path=value" arguments.
std::vector<std::string> overrides_of(const SweepPlan& plan, const SweepTask& task);
// "seed=3, search.agents=[bayes]"
std::string describe(const SweepPlan& plan, const SweepTask& task);

// The key whose values a report compares: what the file says; else search.agents where it is spread; else the first key that names neither
// a problem (model, data, devices) nor a repetition (seed); "" where there is none.
std::string compared_key(const SweepFile& file);

}  // namespace lathe::experiments

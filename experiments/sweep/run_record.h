// A run as merging and reporting see it: what was searched, with which settings, and all trials.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

struct RunRecord {
  std::string id;                               // the same for all copies of a run, and for no other run
  std::string label;                            // "seed=3, search.agents=[bayes]" of a sweep's search, else the folder's name
  std::string path;                             // where it was read from
  std::map<std::string, std::string> settings;  // what steers the trials, by key of the config; values are YAML
  search::Problem problem;                      // metrics and fronts
  nlohmann::json sessions;                      // provenance of each time it was worked on
  bool is_complete = false;                     // it came to its end
  std::vector<search::Trial> trials;            // in id order
};

// Reads run directories, sweep directories and merged directories, one run at a time, so that thousands need little memory. Searches of a
// sweep that have no store yet are left out. Throws UserError where a directory is none of these.
void for_each_run(const std::vector<std::string>& directories, const std::function<void(RunRecord)>& take);

}  // namespace lathe::experiments

// `lathe merge`: many runs into one folder: merged.db (all trials), fronts.json (what is best over all runs), trials.csv. The two text
// files hold nothing of clocks or places, so equal trials give equal files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::experiments {

struct MergeSummary {
  int runs = 0;
  std::int64_t trials = 0, added = 0;  // in all the given runs; of these, new in the merged folder
};

MergeSummary merge_runs(const std::vector<std::string>& directories, const std::string& output);

}  // namespace lathe::experiments

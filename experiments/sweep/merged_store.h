// The trials of many runs in one SQLite file (`merged.db`). A run is known by its id and a trial by its number in the run, so merging the
// same run again, or a later state of it, adds what is new and nothing twice. Each run is one transaction: a merge that is killed is simply
// run again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "experiments/sweep/run_record.h"

namespace lathe::experiments {

class MergedStore {
 public:
  enum class Mode { kRead, kWrite };
  // kWrite makes the folder and the file where they are not there. Throws UserError where the file is something else.
  MergedStore(const std::string& directory, Mode mode);
  ~MergedStore();
  static bool is_one(const std::string& directory);

  // Returns how many trials were new. Throws UserError where a trial that is known has another policy or other results here: then two
  // different runs bear one name, and neither may be believed.
  std::int64_t add(const RunRecord& run);
  // By label, then id.
  void for_each(const std::function<void(RunRecord)>& take) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::experiments

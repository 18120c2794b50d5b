// A study: trials in a database that several searches on several nodes feed and learn from (`study` in the config).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/config/experiment_config.h"
#include "search/shared_trials.h"

namespace lathe::experiments {

class SharedStudy : public search::SharedTrials {
 public:
  // Of a trial that this search claimed; durable when it returns. Where another search has finished it meanwhile, that result stays.
  // Thread-safe beside the other calls.
  virtual void record(const search::Trial& trial) = 0;
};

struct StudySearch {
  StudyConfig study;
  std::vector<std::string> settings;  // "key: value", in which all searches of a study must agree
  std::string search_id;              // a resumed search has that of before
  std::vector<search::Trial> trials;  // that this search has measured before; what the study misses of them is added
};

// Throws UserError where the database cannot be reached or the study is about something else.
using StudyOpener = std::function<std::unique_ptr<SharedStudy>(const StudySearch&)>;

}  // namespace lathe::experiments

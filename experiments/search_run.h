// `lathe search` from config to report: the story of a run. Every step is a pure function of config, data and stored trials, so that
// resuming is running again with the trials that are known already.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "experiments/config/experiment_config.h"
#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/shared_study.h"

namespace lathe::experiments {

struct SearchOutcome {
  bool is_finished = false;  // false: interrupted; resume to go on
  std::string results;       // text of pareto.json
  std::string table;         // for the terminal
  std::string report;        // path of the HTML file
};

// What needs libraries that not every program has.
struct SearchServices {
  Distribution distribution = {};
  StudyOpener open_study = {};  // for configs that name a study
};

// Writes everything to config.output. Throws UserError for the user's faults, impossible constraints included.
SearchOutcome run_search_experiment(const ExperimentConfig& config, bool is_resumed, Progress& progress,
                                    const SearchServices& services = {});

}  // namespace lathe::experiments

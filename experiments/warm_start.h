// `search.warm_start: RUN_DIR`: the trials of an earlier run as the first ones of this.
#pragma once

#include <string>
#include <vector>

#include "experiments/run_store.h"
#include "policies/search_space.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

// Writes down in the run's store what its candidates mean, for runs that start from it.
void record_space(RunStore& store, const policies::SearchSpace& space);

// Those that `store` has from its first start, else those of the run in folder `earlier` whose policies `problem` holds, which are recorded
// in `store`. None where `earlier` is empty. settings: trial_settings() of this run. Throws UserError where the earlier run is of another
// network, or measured accuracy on other rows or in another way.
std::vector<search::Trial> warm_start(const std::string& earlier, const std::vector<std::string>& settings, const search::Problem& problem,
                                      RunStore& store);

}  // namespace lathe::experiments

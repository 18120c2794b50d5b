// The search of a run: answers the controller's questions from the run's store, its evaluator and the user's patience.
#pragma once

#include <vector>

#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/run_store.h"
#include "experiments/shared_study.h"
#include "search/controller.h"
#include "search/problem.h"

namespace lathe::experiments {

// How much of a search is run.
struct SearchPart {
  int trials;  // beside the history
  std::uint64_t seed;
  const std::vector<search::AgentOptions>& agents;  // with what earlier runs taught them (learned_agents.h)
};

// history: trials that the search begins with (warm_start.h), of which the result's trials are made first. float_accuracy: of the float
// network, on the rows that trials are measured on. Every trial is stored before anyone hears of it; those that are stored already are not
// measured again. study: null where the search shares its trials with no other; else the result holds the trials of all. Throws
// SearchStopped, or returns is_stopped, where the user interrupts.
search::SearchResult search_trials(const Experiment& experiment, const search::Problem& problem, double float_accuracy,
                                   const std::vector<search::Trial>& history, RunStore& store, SharedStudy* study, Progress& progress,
                                   const SearchPart& part);

}  // namespace lathe::experiments

// The search of a run: answers the controller's questions from the run's store, its evaluator and the user's patience.
#pragma once

#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/run_store.h"
#include "search/controller.h"
#include "search/problem.h"

namespace lathe::experiments {

// Thrown in place of a measurement that was not begun because the run is to stop; those that were begun come to their end and are kept.
struct SearchStopped {};

// float_accuracy: of the float network, on the rows that trials are measured on. Every trial is stored before anyone hears of it; those
// that are stored already are not measured again. Throws SearchStopped, or returns is_stopped, where the user interrupts.
search::SearchResult search_trials(const Experiment& experiment, const search::Problem& problem, double float_accuracy, RunStore& store,
                                   Progress& progress);

}  // namespace lathe::experiments

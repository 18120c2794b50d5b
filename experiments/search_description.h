// What a search says of itself before it begins.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace lathe::experiments {

// Lines: the network and its devices; the rows, where there is a data set; the trials of an earlier run, where it starts from some; the
// float network's accuracy.
std::vector<std::string> search_description(const Experiment& experiment, std::size_t earlier_trials, double float_accuracy);

}  // namespace lathe::experiments

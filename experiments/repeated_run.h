// Whether a repetition of a run (`lathe search --from RUN_DIR`) came to the same trials, and what was different about it.
#pragma once

#include <string>

namespace lathe::experiments {

// A line on the trials, then one for each difference of program, libraries, host and data.
std::string compare_runs(const std::string& original, const std::string& repetition);

}  // namespace lathe::experiments

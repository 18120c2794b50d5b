// Faults of a policy's entries are found where the file that it came from is no longer known.
#pragma once

#include <functional>
#include <string>

namespace lathe::cli {

// Returns what `run` does; faults of groups and layers that name no file then name `file`.
int blaming_policy_file(const std::string& file, const std::function<int()>& run);

}  // namespace lathe::cli

// What differs between two configs.
#pragma once

#include <string>
#include <vector>

namespace lathe::experiments {

// Of two lists of "key: value" lines, those that only one side has, as "search.trials: 40 then, 60 now"; "" where they agree.
std::string setting_differences(const std::vector<std::string>& then, const std::vector<std::string>& now);

}  // namespace lathe::experiments

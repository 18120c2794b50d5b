// Where a network can be trained.
#pragma once

#include <string>

namespace lathe::evaluators {

// "cpu" always; "cuda" where LibTorch was built for it and finds a GPU.
bool is_available(const std::string& device);
// Throws UserError, naming the config file and its key, where the device is not available.
void check_available(const std::string& device, const std::string& file, const std::string& key);

}  // namespace lathe::evaluators

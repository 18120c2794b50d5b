// Where a network can be trained.
#pragma once

#include <string>

namespace lathe::evaluators {

// "cpu" always; "cuda" where LibTorch was built for it and finds a GPU.
bool is_available(const std::string& device);

}  // namespace lathe::evaluators

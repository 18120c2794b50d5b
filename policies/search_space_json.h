// A search space as JSON, so that trials can be understood without the network that they are of.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "policies/search_space.h"

namespace lathe::policies {

nlohmann::json space_json(const SearchSpace& space);
// Throws nlohmann::json::exception or std::out_of_range for documents that space_json did not write.
SearchSpace space_of(const nlohmann::json& document);

}  // namespace lathe::policies

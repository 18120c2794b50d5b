// Keys of the sections that say how networks are trained.
#pragma once

#include <vector>

#include "experiments/config/config_keys.h"

namespace lathe::experiments {

std::vector<ConfigKey> recover_keys();
std::vector<ConfigKey> train_keys();

}  // namespace lathe::experiments

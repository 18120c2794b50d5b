#include "evaluators/training_device.h"

#include <ATen/Context.h>

namespace lathe::evaluators {

bool is_available(const std::string& device) {
  return device == "cpu" || (device == "cuda" && at::hasCUDA());
}

}  // namespace lathe::evaluators

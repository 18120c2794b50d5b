#include "evaluators/training_device.h"

#include <ATen/Context.h>

#include "models/base/error.h"

namespace lathe::evaluators {

bool is_available(const std::string& device) {
  return device == "cpu" || (device == "cuda" && at::hasCUDA());
}

void check_available(const std::string& device, const std::string& file, const std::string& key) {
  if (is_available(device)) return;
  throw UserError(
      Fault{.file = file, .key = key, .expected = "this LibTorch finds no GPU (see LATHE_TORCH_DIR); expected cpu", .got = device});
}

}  // namespace lathe::evaluators

#include "experiments/cli/policy_file.h"

#include <vector>

#include "models/base/error.h"

namespace lathe::cli {

int blaming_policy_file(const std::string& file, const std::function<int()>& run) {
  try {
    return run();
  } catch (const UserError& error) {
    std::vector<Fault> faults = error.faults();
    for (Fault& fault : faults) {
      const bool is_of_policy = fault.key.starts_with("groups[") || fault.key.starts_with("layers[");
      if (is_of_policy && fault.file.empty()) fault.file = file;
    }
    throw UserError(std::move(faults));
  }
}

}  // namespace lathe::cli

#include "experiments/cli/process_environment.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace lathe::cli {

void settle_environment(char** argv) {
  bool is_changed = false;
  for (const auto& [name, value] : {std::pair{"OPENBLAS_NUM_THREADS", "1"}, std::pair{"OMP_WAIT_POLICY", "passive"}}) {
    if (std::getenv(name) != nullptr) continue;
    setenv(name, value, /*overwrite=*/0);
    is_changed = true;
  }
  // If the program's file is gone the run is slower, not wrong.
  if (is_changed) execv("/proc/self/exe", argv);
}

}  // namespace lathe::cli

#include "experiments/study/postgres_study.h"
#include "models/base/error.h"

namespace lathe::experiments {

std::unique_ptr<SharedStudy> open_study(const StudySearch&) {
  throw UserError("study: this Lathe was built without PostgreSQL; install libpq (Debian: libpq-dev) and build it again");
}

}  // namespace lathe::experiments

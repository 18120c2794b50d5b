// What MpiSession is where MPI was not found when Lathe was built.
#include <cstdlib>

#include "experiments/launchers/mpi_session.h"
#include "models/base/error.h"

namespace lathe::experiments {

std::unique_ptr<MpiSession> MpiSession::join() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char* size = std::getenv(name); size != nullptr && std::atoi(size) > 1)
      throw UserError("this lathe was built without MPI; install an MPI library and build it again, or start it without mpirun");
  return nullptr;
}

}  // namespace lathe::experiments

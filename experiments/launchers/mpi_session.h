// One search over the ranks of an MPI job (`mpirun -n 8 lathe search ...`): rank 0 holds agents, archive and store; the others load network
// and data from the file system that all see, and measure what rank 0 hands out, one policy a rank at a time, as they become free.
//
// The result is that of one process: a measurement does not depend on who makes it. A rank that does not answer in time loses its policy to
// another one. A rank that dies takes the job with it, as Open MPI 4 has it: all that was measured is stored, and starting again with
// --resume, on ranks or without, goes on from there.
#pragma once

#include <functional>
#include <memory>

#include "experiments/experiment.h"

namespace lathe::experiments {

// At most one in a process. Thread-compatible; the evaluator that it gives out is thread-safe.
class MpiSession {
 public:
  virtual ~MpiSession() = default;

  // null where the program was not started by mpirun (or srun with a PMI), or as its only rank. Throws UserError where it was and Lathe was
  // built without MPI.
  static std::unique_ptr<MpiSession> join();

  virtual int rank() const = 0;
  // Among the ranks of this host, from 0.
  virtual int rank_on_host() const = 0;
  // Of rank 0: hands requests out to the other ranks. A rank that is silent for patience_seconds is given up. The session must outlive what
  // is made with it; at its end the other ranks are let go.
  virtual Distribution distribution(double patience_seconds) = 0;
  // Of the other ranks: measures until rank 0 has no more. load: loads what measuring needs; where it fails, rank 0 says so.
  virtual void serve(const std::function<const evaluators::Evaluator&()>& load) = 0;
};

}  // namespace lathe::experiments

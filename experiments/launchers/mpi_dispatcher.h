// Rank 0's side of a search over MPI ranks: hands requests out, one a rank at a time, as ranks become free.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "evaluators/evaluator.h"
#include "experiments/launchers/mpi_messages.h"

namespace lathe::experiments {

// Of the threads that wait for an answer one at a time carries the messages, for all; when it has its own answer it passes the post on.
class MpiDispatcher {
 public:
  // A rank that is silent for patience_seconds is given up.
  MpiDispatcher(int ranks, double patience_seconds) : ranks_(ranks), patience_(patience_seconds) {}

  // From as many threads as there are ranks. Throws std::runtime_error where no rank can measure.
  evaluators::Evaluation evaluate(const evaluators::EvaluationRequest& request);

  // Waits for what is being measured and lets the ranks go. Returns false, and does not, where one of them is lost.
  bool dismiss();

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::string text;
    std::optional<evaluators::Evaluation> answer;
    std::condition_variable woken;
  };
  struct Assignment {
    std::int64_t id;
    Clock::time_point since;
    bool is_lost = false;
  };

  bool is_lost(int rank) const;
  // Until `own` has its answer. Only the carrier talks to MPI; the lock is held but while nothing is there to do.
  void carry(std::unique_lock<std::mutex>& lock, const Waiting& own);
  void hand_out();
  void take(const Message& message);
  void give_up_silent_ranks();

  const int ranks_;
  const double patience_;
  Mailbox mailbox_;
  std::mutex mutex_;
  std::map<std::int64_t, Waiting> waiting_;
  std::deque<std::int64_t> queue_;     // not handed out
  std::deque<int> idle_;               // ranks
  std::map<int, Assignment> at_work_;  // by rank
  std::string failure_;                // "" while all is well
  std::int64_t next_id_ = 0;
  int ready_ = 0, lost_ = 0;
  bool is_carrying_ = false;
};

}  // namespace lathe::experiments

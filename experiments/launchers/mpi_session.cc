#include "experiments/launchers/mpi_session.h"

#include <mpi.h>
#include <oneapi/tbb/global_control.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluators/evaluation_json.h"
#include "models/base/error.h"
#include "policies/policy.h"

namespace lathe::experiments {
namespace {

using evaluators::Evaluation;
using evaluators::EvaluationRequest;
using nlohmann::json;

// Messages are JSON texts. Worker to rank 0: kReady ({} or {"error"}), kAnswer ({"id", evaluation}). Rank 0 to worker: kWork ({"id",
// request}), kStop (empty).
enum Tag : int { kReady = 1, kAnswer, kWork, kStop };

// MPI's own waiting keeps a processor busy, which on a shared host is taken from those who measure. A message more or less late by this
// costs nothing: measurements take milliseconds to minutes.
constexpr useconds_t kPollMicroseconds = 100;

void send(int rank, Tag tag, const std::string& text) {
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, rank, tag, MPI_COMM_WORLD);
}

struct Message {
  int rank, tag;
  std::string text;
};

std::optional<Message> receive_if_any() {
  int is_there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &is_there, &status);
  if (is_there == 0) return std::nullopt;
  int length = 0;
  MPI_Get_count(&status, MPI_CHAR, &length);
  Message message{.rank = status.MPI_SOURCE, .tag = status.MPI_TAG, .text = std::string(static_cast<std::size_t>(length), ' ')};
  MPI_Recv(message.text.data(), length, MPI_CHAR, message.rank, message.tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return message;
}

Message receive() {
  for (;;) {
    if (std::optional<Message> message = receive_if_any()) return std::move(*message);
    usleep(kPollMicroseconds);
  }
}

std::string request_text(std::int64_t id, const EvaluationRequest& request) {
  return json{{"id", id},
              {"policy", policies::to_json(request.policy)},
              {"is_test", request.split == evaluators::Split::kTest},
              {"rows", request.rows}}
      .dump();
}

EvaluationRequest request_of(const json& document) {
  return {.policy = policies::policy_from_json(document["policy"], "rank 0", policies::PolicyDocument::kFile),
          .split = document["is_test"].get<bool>() ? evaluators::Split::kTest : evaluators::Split::kSearch,
          .rows = document["rows"]};
}

// Hands requests out. Of the threads that wait for an answer one at a time carries the messages, for all; when it has its own answer it
// passes the post on.
class Dispatcher {
 public:
  Dispatcher(int ranks, double patience_seconds) : ranks_(ranks), patience_(patience_seconds) {}

  Evaluation evaluate(const EvaluationRequest& request) {
    std::unique_lock lock(mutex_);
    const std::int64_t id = next_id_++;
    Waiting& own = waiting_[id];
    own.text = request_text(id, request);
    queue_.push_back(id);
    while (!own.answer && failure_.empty()) {
      if (is_carrying_) {
        own.woken.wait(lock);
        continue;
      }
      is_carrying_ = true;
      carry(lock, own);
      is_carrying_ = false;
    }
    const std::optional<Evaluation> answer = std::move(own.answer);
    waiting_.erase(id);
    if (!waiting_.empty()) waiting_.begin()->second.woken.notify_one();
    if (!answer) throw std::runtime_error(failure_);
    return *answer;
  }

  // The last words to the ranks. Returns whether all of them can hear.
  bool dismiss() {
    while (ready_ + lost_ < ranks_ - 1 && failure_.empty()) take(receive());
    for (int rank = 1; rank < ranks_; ++rank)
      if (!is_lost(rank)) send(rank, kStop, "");
    return lost_ == 0;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::string text;
    std::optional<Evaluation> answer;
    std::condition_variable woken;
  };
  struct Assignment {
    std::int64_t id;
    Clock::time_point since;
    bool is_lost = false;
  };

  bool is_lost(int rank) const {
    const auto found = at_work_.find(rank);
    return found != at_work_.end() && found->second.is_lost;
  }

  // Until `own` has its answer. Only the carrier talks to MPI; the lock is held but while nothing is there to do.
  void carry(std::unique_lock<std::mutex>& lock, const Waiting& own) {
    while (!own.answer && failure_.empty()) {
      hand_out();
      bool has_news = false;
      while (std::optional<Message> message = receive_if_any()) {
        take(*message);
        has_news = true;
      }
      if (has_news) continue;
      give_up_silent_ranks();
      lock.unlock();
      usleep(kPollMicroseconds);
      lock.lock();
    }
  }

  void hand_out() {
    while (!queue_.empty() && !idle_.empty()) {
      const std::int64_t id = queue_.front();
      queue_.pop_front();
      const auto found = waiting_.find(id);
      if (found == waiting_.end() || found->second.answer) continue;  // a rank that was given up has answered after all
      const int rank = idle_.front();
      idle_.pop_front();
      at_work_[rank] = {id, Clock::now()};
      send(rank, kWork, found->second.text);
    }
  }

  void take(const Message& message) {
    const json document = json::parse(message.text);
    if (message.tag == kReady) {
      ++ready_;
      if (document.contains("error")) failure_ = "rank " + std::to_string(message.rank) + ": " + document["error"].get<std::string>();
    } else {
      if (is_lost(message.rank)) --lost_;
      at_work_.erase(message.rank);
      const auto found = waiting_.find(document["id"].get<std::int64_t>());
      if (found != waiting_.end()) {
        found->second.answer = evaluators::evaluation_of(document["evaluation"]);
        found->second.woken.notify_one();
      }
    }
    idle_.push_back(message.rank);
    if (!failure_.empty())
      for (auto& [id, waiting] : waiting_) waiting.woken.notify_one();
  }

  void give_up_silent_ranks() {
    for (auto& [rank, assignment] : at_work_) {
      if (assignment.is_lost || std::chrono::duration<double>(Clock::now() - assignment.since).count() < patience_) continue;
      assignment.is_lost = true;
      ++lost_;
      queue_.push_front(assignment.id);
    }
    if (lost_ == ranks_ - 1) failure_ = "no rank answers any more";
  }

  const int ranks_;
  const double patience_;
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

class MpiEvaluator final : public evaluators::Evaluator {
 public:
  // local: kept for the experiment, which asks it for what only this process measures.
  MpiEvaluator(std::unique_ptr<evaluators::Evaluator> local, Dispatcher& dispatcher) : local_(std::move(local)), dispatcher_(dispatcher) {}
  Evaluation evaluate(const EvaluationRequest& request) const override { return dispatcher_.evaluate(request); }

 private:
  std::unique_ptr<evaluators::Evaluator> local_;
  Dispatcher& dispatcher_;
};

class OpenSession final : public MpiSession {
 public:
  OpenSession(int rank, int ranks) : rank_(rank), ranks_(ranks) {
    // On rank 0 a thread waits for each of the others.
    if (rank == 0) threads_.emplace(oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(ranks) + 1);
  }
  ~OpenSession() override {
    if (rank_ == 0) {
      if (!dispatcher_) dispatcher_ = std::make_unique<Dispatcher>(ranks_, 0);
      // A rank that hangs cannot take part in the end either.
      if (!dispatcher_->dismiss()) MPI_Abort(MPI_COMM_WORLD, 0);
    }
    MPI_Finalize();
  }

  int rank() const override { return rank_; }

  Distribution distribution(double patience_seconds) override {
    dispatcher_ = std::make_unique<Dispatcher>(ranks_, patience_seconds);
    return {
        .distribute =
            [this](std::unique_ptr<evaluators::Evaluator> local) { return std::make_unique<MpiEvaluator>(std::move(local), *dispatcher_); },
        .at_once = ranks_ - 1};
  }

  void serve(const std::function<const evaluators::Evaluator&()>& load) override {
    const evaluators::Evaluator* evaluator = nullptr;
    try {
      evaluator = &load();
      send(0, kReady, "{}");
    } catch (const std::exception& error) {
      send(0, kReady, json{{"error", error.what()}}.dump());
    }
    for (;;) {
      const Message message = receive();
      if (message.tag == kStop) return;
      const json work = json::parse(message.text);
      const Evaluation evaluation = evaluator->evaluate(request_of(work));
      send(0, kAnswer, json{{"id", work["id"]}, {"evaluation", evaluators::evaluation_json(evaluation)}}.dump());
    }
  }

 private:
  const int rank_, ranks_;
  std::optional<oneapi::tbb::global_control> threads_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

bool was_started_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(name) != nullptr) return true;
  return false;
}

}  // namespace

std::unique_ptr<MpiSession> MpiSession::join() {
  if (!was_started_by_mpi()) return nullptr;
  int provided = 0, rank = 0, ranks = 1;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks == 1) {
    MPI_Finalize();
    return nullptr;
  }
  if (provided < MPI_THREAD_SERIALIZED) throw std::runtime_error("this MPI library does not support threads (MPI_THREAD_SERIALIZED)");
  return std::make_unique<OpenSession>(rank, ranks);
}

}  // namespace lathe::experiments

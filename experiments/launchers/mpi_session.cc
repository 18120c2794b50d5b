#include "experiments/launchers/mpi_session.h"

#include <mpi.h>
#include <oneapi/tbb/global_control.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "evaluators/evaluation_json.h"
#include "experiments/launchers/mpi_dispatcher.h"
#include "experiments/launchers/mpi_messages.h"
#include "policies/policy.h"

namespace lathe::experiments {
namespace {

using evaluators::Evaluation;
using evaluators::EvaluationRequest;
using nlohmann::json;

EvaluationRequest request_of(const json& document) {
  return {.policy = policies::policy_from_json(document["policy"], "rank 0", policies::PolicyDocument::kFile),
          .split = document["is_test"].get<bool>() ? evaluators::Split::kTest : evaluators::Split::kSearch,
          .rows = document["rows"],
          .first_row = document["first_row"],
          .bar = document["bar"]};
}

class MpiEvaluator final : public evaluators::Evaluator {
 public:
  // local: kept for the experiment, which asks it for what only this process measures.
  MpiEvaluator(std::unique_ptr<evaluators::Evaluator> local, MpiDispatcher& dispatcher)
      : local_(std::move(local)), dispatcher_(dispatcher) {}
  Evaluation evaluate(const EvaluationRequest& request) const override { return dispatcher_.evaluate(request); }

 private:
  std::unique_ptr<evaluators::Evaluator> local_;
  MpiDispatcher& dispatcher_;
};

class OpenSession final : public MpiSession {
 public:
  OpenSession(int rank, int ranks, int rank_on_host) : rank_(rank), ranks_(ranks), rank_on_host_(rank_on_host) {
    // On rank 0 a thread waits for each of the others.
    if (rank == 0) threads_.emplace(oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(ranks) + 1);
  }
  ~OpenSession() override {
    if (rank_ == 0) {
      if (!dispatcher_) dispatcher_ = std::make_unique<MpiDispatcher>(ranks_, 0);
      // A rank that hangs cannot take part in the end either.
      if (!dispatcher_->dismiss()) MPI_Abort(MPI_COMM_WORLD, 0);
    }
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int rank_on_host() const override { return rank_on_host_; }

  Distribution distribution(double patience_seconds) override {
    dispatcher_ = std::make_unique<MpiDispatcher>(ranks_, patience_seconds);
    return {
        .distribute =
            [this](std::unique_ptr<evaluators::Evaluator> local) { return std::make_unique<MpiEvaluator>(std::move(local), *dispatcher_); },
        .at_once = ranks_ - 1};
  }

  void serve(const std::function<const evaluators::Evaluator&()>& load) override {
    const evaluators::Evaluator* evaluator = nullptr;
    Mailbox mailbox;
    try {
      evaluator = &load();
      mailbox.send(0, kReady, "{}");
    } catch (const std::exception& error) {
      mailbox.send(0, kReady, json{{"error", error.what()}}.dump());
    }
    for (;;) {
      const Message message = mailbox.receive();
      if (message.tag == kStop) return mailbox.flush();
      const json work = json::parse(message.text);
      const Evaluation evaluation = evaluator->evaluate(request_of(work));
      mailbox.send(0, kAnswer, json{{"id", work["id"]}, {"evaluation", evaluators::evaluation_json(evaluation)}}.dump());
    }
  }

 private:
  const int rank_, ranks_, rank_on_host_;
  std::optional<oneapi::tbb::global_control> threads_;
  std::unique_ptr<MpiDispatcher> dispatcher_;
};

bool was_started_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(name) != nullptr) return true;
  return false;
}

int rank_among_those_of_this_host() {
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  int rank = 0;
  MPI_Comm_rank(host, &rank);
  MPI_Comm_free(&host);
  return rank;
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
  return std::make_unique<OpenSession>(rank, ranks, rank_among_those_of_this_host());
}

}  // namespace lathe::experiments

#include "experiments/launchers/mpi_dispatcher.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "evaluators/evaluation_json.h"
#include "policies/policy.h"

namespace lathe::experiments {

using evaluators::Evaluation;
using evaluators::EvaluationRequest;
using nlohmann::json;

namespace {

std::string request_text(std::int64_t id, const EvaluationRequest& request) {
  return json{{"id", id},
              {"policy", policies::to_json(request.policy)},
              {"is_test", request.split == evaluators::Split::kTest},
              {"rows", request.rows},
              {"first_row", request.first_row},
              {"bar", request.bar}}
      .dump();
}

}  // namespace

Evaluation MpiDispatcher::evaluate(const EvaluationRequest& request) {
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

bool MpiDispatcher::dismiss() {
  const auto is_loading = [this] { return failure_.empty() && ready_ < ranks_ - 1; };
  const auto is_measuring = [this] { return static_cast<int>(at_work_.size()) > lost_; };
  // An answer that nobody takes would keep its rank from ending.
  while (is_loading() || is_measuring()) {
    if (const std::optional<Message> message = mailbox_.receive_if_any()) take(*message);
    give_up_silent_ranks();
    pause_between_messages();
  }
  if (lost_ > 0) return false;
  for (int rank = 1; rank < ranks_; ++rank) mailbox_.send(rank, kStop, "");
  mailbox_.flush();
  return true;
}

bool MpiDispatcher::is_lost(int rank) const {
  const auto found = at_work_.find(rank);
  return found != at_work_.end() && found->second.is_lost;
}

void MpiDispatcher::carry(std::unique_lock<std::mutex>& lock, const Waiting& own) {
  while (!own.answer && failure_.empty()) {
    hand_out();
    bool has_news = false;
    while (std::optional<Message> message = mailbox_.receive_if_any()) {
      take(*message);
      has_news = true;
    }
    if (has_news) continue;
    give_up_silent_ranks();
    lock.unlock();
    pause_between_messages();
    lock.lock();
  }
}

void MpiDispatcher::hand_out() {
  while (!queue_.empty() && !idle_.empty()) {
    const std::int64_t id = queue_.front();
    queue_.pop_front();
    const auto found = waiting_.find(id);
    if (found == waiting_.end() || found->second.answer) continue;  // a rank that was given up has answered after all
    const int rank = idle_.front();
    idle_.pop_front();
    at_work_[rank] = {id, Clock::now()};
    mailbox_.send(rank, kWork, found->second.text);
  }
}

void MpiDispatcher::take(const Message& message) {
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

void MpiDispatcher::give_up_silent_ranks() {
  for (auto& [rank, assignment] : at_work_) {
    if (assignment.is_lost || std::chrono::duration<double>(Clock::now() - assignment.since).count() < patience_) continue;
    assignment.is_lost = true;
    ++lost_;
    queue_.push_front(assignment.id);
  }
  if (lost_ == ranks_ - 1) failure_ = "no rank answers any more";
}

}  // namespace lathe::experiments

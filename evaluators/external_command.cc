#include "evaluators/external_command.h"

#include <atomic>
#include <cmath>
#include <csignal>
#include <mutex>
#include <nlohmann/json.hpp>

#include "evaluators/internal/child_process.h"
#include "models/base/error.h"

namespace lathe::evaluators {
namespace {

using internal::ChildError;
using internal::ChildProcess;

constexpr std::size_t kQuotedLength = 80;

std::string request_line(const EvaluationRequest& request, std::int64_t id) {
  const nlohmann::json policy = policies::to_json(request.policy);
  nlohmann::json line{{"id", id}, {"groups", policy.at("groups")}, {"layers", policy.at("layers")}};
  if (policy.contains("blocks")) line["blocks"] = policy.at("blocks");
  if (request.split == Split::kTest) line["split"] = "test";
  return line.dump();
}

std::string quoted(const std::string& text) {
  return "'" + text.substr(0, kQuotedLength) + (text.size() > kQuotedLength ? "...'" : "'");
}

Evaluation failure(const std::string& reason) {
  return {.is_ok = false, .error = reason};
}

// Throws ChildError where the line is no answer to request `id`: then nothing that the program says later can be trusted.
Evaluation parse_answer(const std::string& line, std::int64_t id) {
  const nlohmann::json answer = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) throw ChildError{"wrote " + quoted(line) + " where a line of JSON with id and accuracy was expected"};
  if (!answer.contains("id") || answer["id"] != id)
    throw ChildError{"wrote " + quoted(line) + ", which does not answer id " + std::to_string(id)};
  if (answer.contains("error")) return failure(answer["error"].is_string() ? answer["error"].get<std::string>() : answer["error"].dump());
  if (!answer.contains("accuracy") || !answer["accuracy"].is_number())
    return failure("the program's answer has no number 'accuracy': " + quoted(line));
  const double accuracy = answer["accuracy"].get<double>();
  if (!(accuracy >= 0 && accuracy <= 1)) return failure("the program's accuracy is not in [0, 1]: " + quoted(line));
  Evaluation evaluation{.accuracy = accuracy, .interval = {accuracy, accuracy}};
  if (answer.contains("samples") && answer["samples"].is_number_integer() && answer["samples"].get<std::int64_t>() > 0) {
    evaluation.samples = answer["samples"].get<std::int64_t>();
    evaluation.interval = wilson_interval(std::llround(accuracy * static_cast<double>(evaluation.samples)), evaluation.samples);
  }
  return evaluation;
}

}  // namespace

struct CommandEvaluator::State {
  CommandOptions options;
  std::atomic<std::int64_t> next_id = 0;
  std::mutex mutex;
  std::vector<std::unique_ptr<ChildProcess>> idle;  // guarded by mutex

  std::unique_ptr<ChildProcess> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto child = std::move(idle.back());
        idle.pop_back();
        return child;
      }
    }
    return std::make_unique<ChildProcess>(options.command);
  }

  void give_back(std::unique_ptr<ChildProcess> child) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(child));
  }
};

CommandEvaluator::CommandEvaluator(CommandOptions options) : state_(new State{.options = std::move(options)}) {
  const auto& command = state_->options.command;
  if (command.empty()) throw UserError(Fault{.key = "command", .expected = "expected a program and its arguments"});
  if (internal::find_program(command[0]).empty()) {
    throw UserError(Fault{.key = "command", .expected = "expected a program that can be run", .got = command[0]});
  }
  if (!(state_->options.timeout_seconds > 0)) {
    throw UserError(
        Fault{.key = "timeout_seconds", .expected = "expected a number above 0", .got = std::to_string(state_->options.timeout_seconds)});
  }
  // Writing to a program that has died must be an error value, not the end of Lathe.
  std::signal(SIGPIPE, SIG_IGN);
}

CommandEvaluator::~CommandEvaluator() = default;

Evaluation CommandEvaluator::evaluate(const EvaluationRequest& request) const {
  const auto start = std::chrono::steady_clock::now();
  // Far deadlines are cut: the clock's own range must not overflow.
  constexpr double kLongest = 1e8;
  const auto deadline = start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                    std::chrono::duration<double>(std::min(state_->options.timeout_seconds, kLongest)));
  const std::int64_t id = state_->next_id++;
  Evaluation evaluation;
  try {
    auto child = state_->take();
    evaluation = parse_answer(child->ask(request_line(request, id), deadline), id);
    state_->give_back(std::move(child));
  } catch (const ChildError& error) {
    evaluation = failure("evaluator '" + state_->options.command[0] + "': the program " + error.what);
  }
  evaluation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return evaluation;
}

}  // namespace lathe::evaluators

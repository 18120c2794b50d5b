// The user's own program as evaluator. Lathe starts it (without a shell) and writes one policy a line to its standard input:
//   {"id": 7, "groups": [...], "layers": [...]}            (policy file format, "blocks" where some are removed; "split": "test" for
//   reported rows)
// The program answers one line for each on its standard output: {"id": 7, "accuracy": 0.91, ...} or {"id": 7, "error": "why"}.
// "accuracy" must be in [0, 1]; "samples" (a count) gives the interval; other keys are ignored. Its standard error is passed through.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "evaluators/evaluator.h"

namespace lathe::evaluators {

struct CommandOptions {
  std::vector<std::string> command;  // program and arguments; the program is looked up in PATH
  double timeout_seconds = 600;      // for one policy, start-up of the program included
};

// One process for each request that runs at the same time, started when first needed and kept. A program that dies, answers something
// else or nothing in time is a failed evaluation with a message; it is started anew for the next one. Thread-safe.
class CommandEvaluator final : public Evaluator {
 public:
  // Throws UserError where the program cannot be found or the options are wrong.
  explicit CommandEvaluator(CommandOptions options);
  ~CommandEvaluator() override;  // closes the programs' inputs, waits a moment, then ends them
  Evaluation evaluate(const EvaluationRequest& request) const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::evaluators

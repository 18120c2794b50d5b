// Evaluators from outside the library, by the word of the config's `evaluator.kind`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluators/dataset.h"
#include "evaluators/evaluator.h"
#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

// What an evaluator may use; all of it outlives the evaluator.
struct EvaluatorContext {
  const models::Network& network;  // prepared for pruning
  const policies::CouplingAnalysis& analysis;
  const Dataset* dataset = nullptr;  // null where the config names no data
};

struct EvaluatorFactory {
  std::string kind;
  std::function<std::unique_ptr<Evaluator>(const EvaluatorContext& context)> make;
};

// At the start of the program, before a config is read; a kind that is taken is a check failure.
void register_evaluator(EvaluatorFactory factory);

// "builtin", "command", then the registered ones.
std::vector<std::string> evaluator_kinds();
// null where `kind` is not a registered one.
const EvaluatorFactory* find_evaluator(const std::string& kind);

}  // namespace lathe::evaluators

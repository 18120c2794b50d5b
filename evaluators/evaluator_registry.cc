#include "evaluators/evaluator_registry.h"

#include <algorithm>

#include "models/base/check.h"

namespace lathe::evaluators {
namespace {

std::vector<EvaluatorFactory>& registry() {
  static std::vector<EvaluatorFactory> kFactories;
  return kFactories;
}

}  // namespace

void register_evaluator(EvaluatorFactory factory) {
  const std::vector<std::string> taken = evaluator_kinds();
  LATHE_CHECK(std::find(taken.begin(), taken.end(), factory.kind) == taken.end()) << "two evaluators of the kind " << factory.kind;
  registry().push_back(std::move(factory));
}

std::vector<std::string> evaluator_kinds() {
  std::vector<std::string> kinds{"builtin", "command"};
  for (const EvaluatorFactory& factory : registry()) kinds.push_back(factory.kind);
  return kinds;
}

const EvaluatorFactory* find_evaluator(const std::string& kind) {
  const auto& all = registry();
  const auto found = std::find_if(all.begin(), all.end(), [&](const EvaluatorFactory& factory) { return factory.kind == kind; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lathe::evaluators

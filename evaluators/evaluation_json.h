// An evaluation as JSON, every digit and every row: for caches and for evaluators that sit in another process.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "evaluators/evaluator.h"

namespace lathe::evaluators {

// {"accuracy", "interval", "samples", "correct" (four rows a hexadecimal digit), "rows", "seconds", "expected_probability" where it is known}
// or {"error", "seconds"}.
nlohmann::json evaluation_json(const Evaluation& evaluation);
Evaluation evaluation_of(const nlohmann::json& document);

}  // namespace lathe::evaluators

// An evaluation as JSON, every digit and every row: for run stores, caches and evaluators that sit in another process.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "evaluators/evaluator.h"

namespace lathe::evaluators {

// {"accuracy", "interval", "samples", "correct" (four rows a hexadecimal digit), "rows", "seconds", "expected_probability" where it is
// known} or {"error", "seconds"}.
nlohmann::json evaluation_json(const Evaluation& evaluation);
// Also reads the form of older run stores: {"is_ok", "error", "accuracy", "interval", "samples", "correct"}, a 0 or 1 a row.
Evaluation evaluation_of(const nlohmann::json& document);

}  // namespace lathe::evaluators

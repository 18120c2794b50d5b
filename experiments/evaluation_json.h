// Evaluations as the run store keeps them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "evaluators/evaluator.h"

namespace lathe::experiments {

// Everything but the time that it took. `correct` is a text of 0 and 1, one a row.
nlohmann::json to_json(const evaluators::Evaluation& evaluation);
evaluators::Evaluation evaluation_of(const nlohmann::json& document);

}  // namespace lathe::experiments

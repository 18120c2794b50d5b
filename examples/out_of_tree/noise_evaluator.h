// An evaluator of one's own, which needs no data: it guesses accuracy from the noise that a policy adds. A stand-in for a measurement on a
// board, a simulator, or a service.
#pragma once

#include <memory>

#include "evaluators/evaluator_registry.h"

namespace npu {

std::unique_ptr<lathe::evaluators::Evaluator> make_noise_evaluator(const lathe::evaluators::EvaluatorContext& context);

}  // namespace npu

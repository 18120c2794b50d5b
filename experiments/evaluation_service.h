// `lathe evaluate`: accuracy and predictions of policies, one from a file, or one a line from another program's optimizer.
#pragma once

#include <istream>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "evaluators/evaluator.h"
#include "experiments/experiment.h"
#include "policies/policy.h"

namespace lathe::experiments {

// {"accuracy", "interval", "samples", "split", "latency_ms": {device: value}, "energy_mj", "size_bytes", "packed_bytes", "seconds"} or
// {"error"}; size_bytes is left out where there is no data to build the file with. Throws UserError where the policy does not fit.
nlohmann::json evaluate_policy(const Experiment& experiment, const policies::Policy& policy, evaluators::Split split);

// The `--stdin` protocol: reads one policy a line, {"id", "groups", "layers", "blocks"}, "split": "test" for the held-out rows; answers one
// line each, {"id", ...as above} or {"id", "error"}, flushed. Up to `experiment.threads()` lines are worked on at once; answers keep the
// order.
void serve_evaluations(const Experiment& experiment, std::istream& in, std::ostream& out);

}  // namespace lathe::experiments

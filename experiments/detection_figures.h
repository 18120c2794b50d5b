// What a compressed detector is like beside the float one, on the same images: both mean average precisions with their losses, and each
// class.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "evaluators/average_precision.h"

namespace lathe::experiments {

// {"map50": {"float", "value", "loss", "interval"}, "map": the same, "classes": [{"class", "float_map50", "map50"}]}; shares in [0, 1],
// interval: of the loss, 95 %. null for classes without objects.
nlohmann::json detection_json(const evaluators::DetectionOutcome& floating, const evaluators::DetectionOutcome& compressed);

// A line for each of the two, in points. figures: of detection_json(), whose intervals take a thousand samples each.
std::string detection_text(const nlohmann::json& figures);

}  // namespace lathe::experiments

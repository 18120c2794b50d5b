#include "experiments/detection_figures.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "evaluators/evaluator.h"
#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

using evaluators::DetectionOutcome;
using evaluators::PrecisionMetric;
using nlohmann::json;

json figure_json(const DetectionOutcome& floating, const DetectionOutcome& compressed, PrecisionMetric metric) {
  const evaluators::PairedDifference loss = evaluators::paired_difference(floating, compressed, metric);
  return {{"float", evaluators::mean_average_precision(floating, metric)},
          {"value", evaluators::mean_average_precision(compressed, metric)},
          {"loss", loss.difference},
          {"interval", {loss.interval.first, loss.interval.second}}};
}

json number_or_null(double value) {
  return std::isnan(value) ? json() : json(value);
}

}  // namespace

json detection_json(const DetectionOutcome& floating, const DetectionOutcome& compressed) {
  json classes = json::array();
  const evaluators::ClassPrecisions before = evaluators::average_precisions(floating), after = evaluators::average_precisions(compressed);
  for (std::size_t cls = 0; cls < before.size(); ++cls)
    classes.push_back({{"class", cls}, {"float_map50", number_or_null(before[cls][0])}, {"map50", number_or_null(after[cls][0])}});
  return {{"map50", figure_json(floating, compressed, PrecisionMetric::kAt50)},
          {"map", figure_json(floating, compressed, PrecisionMetric::kMean)},
          {"classes", classes}};
}

std::string detection_text(const json& figures) {
  const auto line = [&](const char* name, const json& figure) {
    const auto points = [](const json& share) { return format_fixed(100 * share.get<double>(), 2); };
    return std::string(name) + "  " + format_points(figure["float"].get<double>()) + " -> " + format_points(figure["value"].get<double>()) +
           ", loss " + points(figure["loss"]) + " [" + points(figure["interval"][0]) + ", " + points(figure["interval"][1]) + "] points\n";
  };
  return line("mAP at IoU 0.5", figures["map50"]) + line("mAP at IoU 0.5 to 0.95", figures["map"]);
}

}  // namespace lathe::experiments

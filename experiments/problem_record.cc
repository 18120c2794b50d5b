#include "experiments/problem_record.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace lathe::experiments {

using nlohmann::json;

json problem_json(const search::Problem& problem) {
  json metrics = json::array(), fronts = json::array();
  for (const search::Metric& metric : problem.metrics)
    metrics.push_back({{"name", metric.name},
                       {"direction", metric.direction == search::Direction::kMaximize ? "maximize" : "minimize"},
                       {"measured", metric.is_measured},
                       {"limit", std::isnan(metric.limit) ? json() : json(metric.limit)}});
  for (const search::Front& front : problem.fronts)
    fronts.push_back(
        {{"name", front.name}, {"metrics", front.metrics}, {"reference_point", front.reference_point}, {"limited", front.limited}});
  return {{"metrics", metrics}, {"fronts", fronts}};
}

search::Problem problem_of(const json& document) {
  search::Problem problem;
  for (const json& metric : document.at("metrics"))
    problem.metrics.push_back(
        {.name = metric.at("name"),
         .direction = metric.at("direction") == "maximize" ? search::Direction::kMaximize : search::Direction::kMinimize,
         .is_measured = metric.at("measured"),
         .limit = metric.at("limit").is_null() ? std::numeric_limits<double>::quiet_NaN() : metric.at("limit").get<double>()});
  for (const json& front : document.at("fronts"))
    problem.fronts.push_back({.name = front.at("name"),
                              .metrics = front.at("metrics"),
                              .reference_point = front.at("reference_point"),
                              .limited = front.at("limited")});
  return problem;
}

}  // namespace lathe::experiments

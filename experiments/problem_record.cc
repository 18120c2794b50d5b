#include "experiments/problem_record.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "experiments/run_store.h"

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

namespace {

constexpr const char* kRecalibrated = "recalibrated";

}  // namespace

void record_recalibrated(RunStore& store, const search::Problem& problem, const std::vector<search::Trial>& trials) {
  store.fact(kRecalibrated, [&] {
    json metrics = json::object();  // by trial; what is not finite is null and stays as the trial has it
    for (const search::Trial& trial : trials) metrics[std::to_string(trial.id)] = trial.metrics;
    return json{{"problem", problem_json(problem)}, {"metrics", std::move(metrics)}};
  });
}

void recalibrate(const RunStore& store, search::Problem& problem, std::vector<search::Trial>& trials) {
  const std::optional<json> now = store.known_fact(kRecalibrated);
  if (!now) return;
  problem = problem_of(now->at("problem"));
  for (search::Trial& trial : trials) {
    const auto found = now->at("metrics").find(std::to_string(trial.id));
    if (found == now->at("metrics").end()) continue;
    for (std::size_t m = 0; m < trial.metrics.size(); ++m)
      if (found->at(m).is_number()) trial.metrics[m] = found->at(m).get<double>();
  }
}

}  // namespace lathe::experiments

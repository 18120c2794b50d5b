// What a run found, as the JSON of `pareto.json`: everything that the final table and the report show.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/delivery.h"
#include "experiments/experiment.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

struct DeliveredPolicy {
  int number = 0;  // of policies/NNN.json
  int target = 0;  // the device that it was chosen for
  std::int64_t trial = 0;
  bool is_recommended = false;  // the fastest of its device's that meets the loss on the search split
  bool meets_loss = true;
  Delivery delivery;
};

struct RunResults {
  const Experiment& experiment;
  const search::Problem& problem;
  std::vector<search::Trial> trials;
  std::int64_t duplicates = 0, rejected = 0;
  evaluators::Evaluation float_search, float_test;
  std::vector<DeliveredPolicy> delivered;
};

// Keys: format, version, lathe, config, model, seed, objectives, constraints, float, agents, decisions, layers, groups, trials, devices,
// policies, hypervolume. Shares are of 1. Deterministic but for trials' seconds.
nlohmann::json results_json(const RunResults& results);

// The final table, by device: the float network first. From results_json.
std::string results_table(const nlohmann::json& results);

}  // namespace lathe::experiments

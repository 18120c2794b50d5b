#include "experiments/results.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "experiments/best_so_far.h"
#include "experiments/certificate_json.h"
#include "experiments/device_metrics.h"
#include "experiments/run_directory.h"
#include "models/op_counts.h"
#include "search/pareto.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

json number_or_null(double value) {
  return std::isfinite(value) ? json(value) : json();
}

json figure_json(const policies::Figure& figure) {
  json document{{"value", figure.value}, {"kind", figure.kind}};
  if (!figure.split.empty()) document["split"] = figure.split;
  if (figure.samples > 0) document["samples"] = figure.samples;
  if (figure.interval) document["interval"] = {figure.interval->first, figure.interval->second};
  return document;
}

json accuracy_json(const evaluators::Evaluation& evaluation, const char* split) {
  return figure_json(accuracy_figure(evaluation, split));
}

json decisions_json(const policies::SearchSpace& space) {
  json list = json::array();
  for (const policies::Decision& decision : space.decisions) {
    // pareto.json has said "channels" since before spaces were stored.
    const char* kind = decision.kind == policies::DecisionKind::kKeptChannels ? "channels" : policies::to_string(decision.kind);
    list.push_back({{"name", decision.name}, {"kind", kind}, {"subject", decision.subject}, {"values", decision.values}});
  }
  return list;
}

json blocks_json(const policies::SearchSpace& space) {
  json list = json::array();
  for (const policies::BlockInfo& block : space.blocks) list.push_back({{"name", block.name}, {"layers", block.layers}});
  return list;
}

json trials_json(const RunResults& results) {
  json list = json::array();
  for (const search::Trial& trial : results.trials) {
    json metrics = json::object();
    for (std::size_t i = 0; i < trial.metrics.size(); ++i) metrics[results.problem.metrics[i].name] = number_or_null(trial.metrics[i]);
    json entry{
        {"id", trial.id}, {"agent", trial.agent}, {"choices", trial.candidate.choices}, {"metrics", metrics}, {"seconds", trial.seconds}};
    if (trial.state == search::TrialState::kFailed) entry["error"] = trial.error;
    if (trial.state == search::TrialState::kStopped) entry["stopped"] = true;
    list.push_back(entry);
  }
  return list;
}

// What the network takes while it runs: weights as the device stores them, and activations at the worst moment.
std::int64_t memory_bytes(const hwmodels::Prediction& prediction) {
  return prediction.weight_bytes + prediction.peak_activation_bytes;
}

// Hypervolume (see hypervolume_share) of the front after each trial, of all agents together or of one.
json hypervolume_series(const RunResults& results, const search::Front& front, const std::string& agent) {
  json series = json::array();
  std::vector<search::Trial> seen;
  double volume = 0;
  for (const search::Trial& trial : results.trials) {
    if (agent.empty() || trial.agent == agent) {
      // Only the non-dominated ones matter from here on.
      seen.push_back(trial);
      const std::vector<std::int64_t> kept = search::pareto_set(results.problem, front, seen);
      std::erase_if(seen, [&](const search::Trial& old) { return std::find(kept.begin(), kept.end(), old.id) == kept.end(); });
      volume = hypervolume_share(results.problem, front, seen);
    }
    series.push_back(volume);
  }
  return series;
}

json device_json(const RunResults& results, int target) {
  const Target& device = results.experiment.targets[static_cast<std::size_t>(target)];
  const search::Front& front = results.problem.fronts[static_cast<std::size_t>(target)];
  const std::vector<std::int64_t> ids = search::pareto_set(results.problem, front, results.trials);
  std::vector<search::Trial> on_front;
  for (const search::Trial& trial : results.trials) {
    if (std::find(ids.begin(), ids.end(), trial.id) != ids.end()) on_front.push_back(trial);
  }
  std::map<std::string, int> by_agent;
  for (const search::Trial& trial : results.trials) {
    by_agent.try_emplace(trial.agent, 0);
    if (std::find(ids.begin(), ids.end(), trial.id) != ids.end()) ++by_agent[trial.agent];
  }
  json reference = json::object();
  for (std::size_t i = 0; i < front.metrics.size(); ++i)
    reference[results.problem.metrics[static_cast<std::size_t>(front.metrics[i])].name] = front.reference_point[i];
  json volumes{{"total", hypervolume_series(results, front, "")}, {"agents", json::object()}};
  for (const auto& [agent, count] : by_agent) volumes["agents"][agent] = hypervolume_series(results, front, agent);
  const hwmodels::Prediction& as_it_is = device.float_prediction;
  return {{"name", device.name()},
          {"title", device.hardware->device().title},
          {"class", hwmodels::to_string(device.hardware->device().device_class)},
          {"calibrated", as_it_is.is_calibrated},
          {"float",
           {{"latency_ms", as_it_is.latency_ms},
            {"energy_mj", as_it_is.energy_mj},
            {"average_power_w", as_it_is.average_power_w},
            {"peak_activation_bytes", as_it_is.peak_activation_bytes},
            {"memory_bytes", memory_bytes(as_it_is)},
            {"feasible", as_it_is.is_feasible},
            {"kind", "predicted"}}},
          {"reference_point", reference},
          {"front", ids},
          {"front_by_agent", by_agent},
          {"certificates", certificates_json(results.problem, device, latency_metric(target), results.float_search.accuracy, on_front)},
          {"hypervolume", volumes}};
}

json policy_json(const DeliveredPolicy& delivered, const RunResults& results) {
  const policies::PolicyMetrics& metrics = delivered.delivery.policy.metrics;
  const Experiment& experiment = results.experiment;
  const policies::Workload workload =
      policies::workload_of(experiment.builder, experiment.network, experiment.analysis, delivered.delivery.policy);
  json latency = json::object(), energy = json::object(), speed_up = json::object(), power = json::object(), memory = json::object();
  for (const Target& target : experiment.targets) {
    const auto found = metrics.latency_ms.find(target.name());
    if (found == metrics.latency_ms.end()) continue;
    latency[target.name()] = found->second.value;
    energy[target.name()] = metrics.energy_mj.at(target.name()).value;
    speed_up[target.name()] = target.float_prediction.latency_ms / found->second.value;
    const hwmodels::Prediction prediction = target.hardware->predict(workload);
    power[target.name()] = prediction.average_power_w;
    memory[target.name()] = memory_bytes(prediction);
  }
  json document{{"number", delivered.number},
                {"trial", delivered.trial},
                {"device", experiment.targets[static_cast<std::size_t>(delivered.target)].name()},
                {"recommended", delivered.is_recommended},
                {"meets_loss", delivered.meets_loss},
                {"recovered", delivered.delivery.is_recovered},
                {"policy", RunDirectory::policy_name(delivered.number)},
                {"accuracy", figure_json(*metrics.accuracy)},
                {"accuracy_loss", figure_json(*metrics.accuracy_loss)},
                {"latency_ms", latency},
                {"energy_mj", energy},
                {"speed_up", speed_up},
                {"average_power_w", power},
                {"memory_bytes", memory},
                {"packed_bytes", *metrics.packed_bytes}};
  if (delivered.delivery.search.is_ok) document["search_accuracy"] = figure_json(accuracy_figure(delivered.delivery.search, "search"));
  if (metrics.size_bytes) {
    document["size_bytes"] = *metrics.size_bytes;
    document["model"] = RunDirectory::model_name(delivered.number);
  }
  return document;
}

json float_json(const RunResults& results) {
  const Experiment& experiment = results.experiment;
  return {{"accuracy", {{"search", accuracy_json(results.float_search, "search")}, {"test", accuracy_json(results.float_test, "test")}}},
          {"packed_bytes", packed_size(experiment, policies::Policy{})},
          {"size_bytes", experiment.model_bytes},
          {"parameters", models::total_parameters(experiment.network)},
          {"macs", models::total_macs(experiment.network)}};
}

}  // namespace

json results_json(const RunResults& results) {
  const Experiment& experiment = results.experiment;
  json agents = json::array(), layers = json::array(), groups = json::array(), devices = json::array(), delivered = json::array();
  for (const search::AgentOptions& agent : experiment.config.search.agents) {
    const auto count = [&](auto&& is_counted) { return std::count_if(results.trials.begin(), results.trials.end(), is_counted); };
    agents.push_back({{"name", agent.name},
                      {"kind", agent.kind},
                      {"trials", count([&](const search::Trial& trial) { return trial.agent == agent.name; })},
                      {"failed", count([&](const search::Trial& trial) {
                         return trial.agent == agent.name && trial.state == search::TrialState::kFailed;
                       })}});
  }
  for (const policies::LayerInfo& layer : experiment.space.layers)
    layers.push_back({{"name", layer.name}, {"op", layer.op}, {"macs", layer.macs}, {"parameters", layer.parameters}});
  for (const policies::GroupInfo& group : experiment.space.groups) {
    const auto& producers = experiment.analysis.groups[static_cast<std::size_t>(group.group)].producers;
    groups.push_back({{"name", group.name}, {"channels", group.channels}, {"producers", producers}});
  }
  for (std::size_t i = 0; i < experiment.targets.size(); ++i) devices.push_back(device_json(results, static_cast<int>(i)));
  for (const DeliveredPolicy& policy : results.delivered) delivered.push_back(policy_json(policy, results));
  return {{"format", "lathe.pareto"},
          {"version", 1},
          {"lathe", LATHE_VERSION},
          {"config", experiment.config.file},
          {"seed", experiment.config.seed},
          {"model", {{"name", experiment.network.name}, {"sha256", experiment.network.sha256}}},
          {"data", experiment.dataset ? experiment.dataset->name : ""},
          {"data_note", experiment.dataset ? experiment.dataset->note : ""},
          {"batch", experiment.config.batch},
          {"metric", experiment.metric_name()},
          {"objectives", experiment.config.objectives},
          {"accuracy_loss", experiment.config.constraints.accuracy_loss},
          {"float", float_json(results)},
          {"agents", agents},
          {"duplicates", results.duplicates},
          {"rejected", results.rejected},
          {"decisions", decisions_json(experiment.space)},
          {"layers", layers},
          {"groups", groups},
          {"blocks", blocks_json(experiment.space)},
          {"trials", trials_json(results)},
          {"devices", devices},
          {"policies", delivered}};
}

}  // namespace lathe::experiments

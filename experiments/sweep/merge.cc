#include "experiments/sweep/merge.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "experiments/run_directory.h"
#include "experiments/sweep/merged_store.h"
#include "experiments/sweep/report_table.h"
#include "experiments/sweep/run_record.h"
#include "experiments/trial_text.h"
#include "search/pareto.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

// What trials of different runs must share to be compared: the network, the device and the axes.
using FrontKey = std::tuple<std::string, std::string, std::vector<std::string>>;

struct BestOfAll {
  search::Problem problem;
  search::Front front;
  std::vector<search::Trial> trials;  // non-dominated so far; ids number `owners`
  std::vector<std::pair<std::string, std::int64_t>> owners;
};

std::vector<std::string> axes_of(const search::Problem& problem, const search::Front& front) {
  std::vector<std::string> names;
  for (const int metric : front.metrics) names.push_back(problem.metrics[static_cast<std::size_t>(metric)].name);
  return names;
}

void add_run(const RunRecord& run, std::map<FrontKey, BestOfAll>& fronts) {
  const auto model = run.settings.find("model");
  for (const search::Front& front : run.problem.fronts) {
    const FrontKey key{model == run.settings.end() ? "" : model->second, front.name, axes_of(run.problem, front)};
    BestOfAll& best = fronts.try_emplace(key, BestOfAll{.problem = run.problem, .front = front}).first->second;
    const std::vector<std::int64_t> ids = search::pareto_set(run.problem, front, run.trials);
    for (const search::Trial& trial : run.trials) {
      if (std::find(ids.begin(), ids.end(), trial.id) == ids.end()) continue;
      best.trials.push_back(trial);
      best.trials.back().id = static_cast<std::int64_t>(best.owners.size());
      best.owners.emplace_back(run.label, trial.id);
    }
    const std::vector<std::int64_t> kept = search::pareto_set(run.problem, front, best.trials);
    std::erase_if(best.trials, [&](const search::Trial& t) { return std::find(kept.begin(), kept.end(), t.id) == kept.end(); });
  }
}

json fronts_json(const std::map<FrontKey, BestOfAll>& fronts) {
  json list = json::array();
  for (const auto& [key, best] : fronts) {
    json points = json::array();
    for (const std::int64_t id : search::pareto_set(best.problem, best.front, best.trials)) {
      const search::Trial& trial = *std::find_if(best.trials.begin(), best.trials.end(), [&](const auto& t) { return t.id == id; });
      const auto& [run, number] = best.owners[static_cast<std::size_t>(id)];
      json metrics = json::object();
      for (const int m : best.front.metrics)
        metrics[best.problem.metrics[static_cast<std::size_t>(m)].name] = trial.metrics[static_cast<std::size_t>(m)];
      points.push_back(
          {{"run", run}, {"trial", number}, {"agent", trial.agent}, {"metrics", metrics}, {"choices", trial.candidate.choices}});
    }
    list.push_back({{"model", std::get<0>(key)}, {"device", std::get<1>(key)}, {"objectives", std::get<2>(key)}, {"points", points}});
  }
  return {{"format", "lathe.fronts"}, {"version", 1}, {"fronts", list}};
}

// A long table: one line a metric of a trial, since runs may have different devices.
void add_rows(const RunRecord& run, std::ostringstream& csv) {
  csv.precision(17);
  for (const search::Trial& trial : run.trials)
    for (std::size_t m = 0; m < trial.metrics.size(); ++m)
      csv << csv_cell(run.label) << ',' << trial.id << ',' << csv_cell(trial.agent) << ',' << text_of(trial.state) << ','
          << run.problem.metrics[m].name << ',' << trial.metrics[m] << '\n';
}

}  // namespace

MergeSummary merge_runs(const std::vector<std::string>& directories, const std::string& output) {
  MergeSummary summary;
  MergedStore merged(output, MergedStore::Mode::kWrite);
  for_each_run(directories, [&](const RunRecord& run) {
    ++summary.runs;
    summary.trials += static_cast<std::int64_t>(run.trials.size());
    summary.added += merged.add(run);
  });
  std::map<FrontKey, BestOfAll> fronts;
  std::ostringstream csv;
  csv << "run,trial,agent,state,metric,value\n";
  merged.for_each([&](const RunRecord& run) {
    add_run(run, fronts);
    add_rows(run, csv);
  });
  write_atomically(output + "/fronts.json", fronts_json(fronts).dump(1) + "\n");
  write_atomically(output + "/trials.csv", csv.str());
  return summary;
}

}  // namespace lathe::experiments

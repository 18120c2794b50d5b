#include "experiments/sweep/comparison.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "experiments/best_so_far.h"
#include "search/pareto.h"

namespace lathe::experiments {
namespace {

// The front's points as accuracy against its first cost. Fronts of more axes are seen from that side.
void fill_front(const RunRecord& run, const search::Front& front, RunResult& result) {
  std::size_t cost = 0, value = 0;
  for (const int m : front.metrics) {
    const auto index = static_cast<std::size_t>(m);
    const bool is_value = run.problem.metrics[index].direction == search::Direction::kMaximize;
    if (is_value) value = index;
    if (!is_value && result.cost.empty()) {
      cost = index;
      result.cost = run.problem.metrics[index].name.substr(0, run.problem.metrics[index].name.find('@'));
    }
  }
  const std::vector<std::int64_t> ids = search::pareto_set(run.problem, front, run.trials);
  for (const search::Trial& trial : run.trials)
    if (std::find(ids.begin(), ids.end(), trial.id) != ids.end()) result.front.push_back({trial.metrics[cost], trial.metrics[value]});
}

// Keys whose values are not the same in all runs.
std::vector<std::string> differing_keys(const std::vector<const std::map<std::string, std::string>*>& settings) {
  std::map<std::string, std::set<std::string>> values;
  for (const auto* one : settings)
    for (const auto& [key, value] : *one) values[key].insert(value);
  std::vector<std::string> keys;
  for (const auto& [key, seen] : values)
    if (seen.size() > 1) keys.push_back(key);
  return keys;
}

std::string value_of(const std::map<std::string, std::string>& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "-" : found->second;
}

using Block = std::tuple<std::string, std::string, std::string>;  // problem, device, seed

std::map<Block, std::map<std::string, double>> blocks_of(const std::vector<RunResult>& results) {
  std::map<Block, std::map<std::string, double>> blocks;
  for (const RunResult& result : results) blocks[{result.problem, result.device, result.seed}][result.method] = result.hypervolume;
  return blocks;
}

}  // namespace

void ResultCollector::add(const RunRecord& run) {
  if (!run.is_complete) {
    ++incomplete_;
    return;
  }
  Run kept{.settings = run.settings};
  for (const search::Front& front : run.problem.fronts) {
    RunResult result{.device = front.name, .run = run.label, .hypervolume = hypervolume_share(run.problem, front, run.trials)};
    fill_front(run, front, result);
    kept.results.push_back(std::move(result));
  }
  runs_.push_back(std::move(kept));
}

ResultCollector::Collection ResultCollector::finish() && {
  std::vector<const std::map<std::string, std::string>*> settings;
  for (const Run& run : runs_) settings.push_back(&run.settings);
  std::vector<std::string> keys = differing_keys(settings);
  std::erase_if(keys, [](const std::string& key) { return key == "seed"; });
  Collection collection{.compared = compared_, .incomplete = incomplete_};
  if (collection.compared.empty() && !keys.empty())
    collection.compared = std::find(keys.begin(), keys.end(), "search.agents") != keys.end() ? "search.agents" : keys.front();
  std::set<std::string> methods, problems;
  for (Run& run : runs_) {
    std::string problem;
    for (const std::string& key : keys)
      if (key != collection.compared) problem += (problem.empty() ? "" : ", ") + key + "=" + value_of(run.settings, key);
    for (RunResult& result : run.results) {
      result.problem = problem;
      result.method = collection.compared.empty() ? "all" : value_of(run.settings, collection.compared);
      result.seed = value_of(run.settings, "seed");
      methods.insert(result.method);
      problems.insert(problem);
      collection.results.push_back(std::move(result));
    }
  }
  collection.methods.assign(methods.begin(), methods.end());
  collection.problems.assign(problems.begin(), problems.end());
  const auto order = [](const RunResult& r) { return std::tie(r.problem, r.device, r.method, r.seed, r.run); };
  std::sort(collection.results.begin(), collection.results.end(),
            [&](const RunResult& a, const RunResult& b) { return order(a) < order(b); });
  return collection;
}

Comparison compare_methods(const ResultCollector::Collection& collection) {
  Comparison comparison;
  const auto blocks = blocks_of(collection.results);
  std::vector<double> p_values;
  for (std::size_t a = 0; a < collection.methods.size(); ++a) {
    for (std::size_t b = a + 1; b < collection.methods.size(); ++b) {
      PairTest pair{.a = collection.methods[a], .b = collection.methods[b]};
      std::vector<double> differences;
      for (const auto& [block, values] : blocks)
        if (values.contains(pair.a) && values.contains(pair.b)) differences.push_back(values.at(pair.a) - values.at(pair.b));
      if (differences.empty()) continue;
      pair.blocks = static_cast<int>(differences.size());
      pair.wins = static_cast<int>(std::count_if(differences.begin(), differences.end(), [](double d) { return d > 0; }));
      pair.losses = static_cast<int>(std::count_if(differences.begin(), differences.end(), [](double d) { return d < 0; }));
      pair.median_difference = summarize(differences).median;
      pair.test = wilcoxon_signed_rank(differences);
      p_values.push_back(pair.test.p_value);
      comparison.pairs.push_back(std::move(pair));
    }
  }
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (std::size_t i = 0; i < adjusted.size(); ++i) comparison.pairs[i].adjusted_p = adjusted[i];

  std::vector<std::vector<double>> whole;
  for (const auto& [block, values] : blocks) {
    if (values.size() != collection.methods.size()) continue;
    std::vector<double>& row = whole.emplace_back();
    for (const auto& [method, value] : values) row.push_back(value);  // in the order of `methods`: both are sorted
  }
  comparison.blocks = static_cast<int>(whole.size());
  if (collection.methods.size() >= 2 && !whole.empty()) comparison.ranks = friedman_test(whole);
  return comparison;
}

}  // namespace lathe::experiments

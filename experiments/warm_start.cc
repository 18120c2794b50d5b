#include "experiments/warm_start.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "experiments/problem_record.h"
#include "experiments/setting_differences.h"
#include "models/base/error.h"
#include "policies/search_space_json.h"
#include "search/warm_start.h"

namespace lathe::experiments {
namespace {

constexpr const char* kKey = "search.warm_start";
constexpr const char* kSpaceFact = "space";

UserError unusable(const std::string& earlier, const std::string& why) {
  return UserError(Fault{.key = kKey, .expected = why, .got = earlier});
}

// Settings that the accuracy of a policy depends on.
std::vector<std::string> accuracy_settings(const std::vector<std::string>& settings) {
  std::vector<std::string> lines;
  std::copy_if(settings.begin(), settings.end(), std::back_inserter(lines), [](const std::string& line) {
    if (line.starts_with("evaluator.timeout_seconds")) return false;
    return line.starts_with("model: ") || line.starts_with("data.") || line.starts_with("evaluator.") ||
           line.starts_with("space.criterion") || line.starts_with("space.dynamic_activations");
  });
  return lines;
}

std::vector<search::Trial> trials_of(const std::string& earlier, const std::vector<std::string>& settings, const search::Problem& problem) {
  const std::string path = earlier + "/run.db";
  if (!std::filesystem::exists(path)) throw unusable(earlier, "expected the folder of a run, which has a run.db");
  const RunStore store(path, RunStore::Mode::kRead);
  const std::string differences = setting_differences(accuracy_settings(store.settings()), accuracy_settings(settings));
  if (!differences.empty()) throw unusable(earlier, "its accuracies are not comparable: " + differences);
  const std::optional<nlohmann::json> space = store.known_fact(kSpaceFact), record = store.known_fact("problem");
  if (!space || !record) throw unusable(earlier, "a run of an older version, which does not say what its trials mean");
  constexpr const char* kUnreadable = "a run of another version, whose space cannot be read";
  try {
    return search::warm_start_trials(problem, policies::space_of(*space), store.trials(), search::measured_metric(problem_of(*record)));
  } catch (const nlohmann::json::exception&) {
    throw unusable(earlier, kUnreadable);
  } catch (const std::out_of_range&) {
    throw unusable(earlier, kUnreadable);
  }
}

}  // namespace

void record_space(RunStore& store, const policies::SearchSpace& space) {
  store.fact(kSpaceFact, [&] { return policies::space_json(space); });
}

std::vector<search::Trial> warm_start(const std::string& earlier, const std::vector<std::string>& settings, const search::Problem& problem,
                                      RunStore& store) {
  if (earlier.empty()) return {};
  std::vector<search::Trial> known = store.trials();
  std::erase_if(known, [](const search::Trial& trial) { return trial.agent != search::kWarmStartAgent; });
  if (!known.empty() || store.count() > 0) return known;
  std::vector<search::Trial> trials = trials_of(earlier, settings, problem);
  store.record(trials);
  return trials;
}

}  // namespace lathe::experiments

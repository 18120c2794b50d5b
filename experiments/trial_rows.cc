#include "experiments/trial_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace lathe::experiments {
namespace {

using nlohmann::json;

std::string numbers_text(const std::vector<double>& numbers) {
  json list = json::array();
  for (const double number : numbers)
    list.push_back(std::isnan(number) ? json() : std::isinf(number) ? json(number > 0 ? "inf" : "-inf") : json(number));
  return list.dump();
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const json& number : json::parse(text)) {
    if (number.is_null())
      numbers.push_back(std::numeric_limits<double>::quiet_NaN());
    else if (number.is_string())
      numbers.push_back(number == "inf" ? kInfinity : -kInfinity);
    else
      numbers.push_back(number.get<double>());
  }
  return numbers;
}

}  // namespace

void bind_trial(SQLite::Statement& statement, int first, const search::Trial& trial) {
  statement.bind(first, trial.id);
  statement.bind(first + 1, trial.agent);
  statement.bind(first + 2, json(trial.candidate.choices).dump());
  statement.bind(first + 3, trial.state == search::TrialState::kComplete ? "complete" : "failed");
  statement.bind(first + 4, trial.error);
  statement.bind(first + 5, numbers_text(trial.metrics));
  statement.bind(first + 6, trial.stddev);
  statement.bind(first + 7, trial.seconds);
}

search::Trial trial_of(SQLite::Statement& row) {
  search::Trial trial;
  trial.id = row.getColumn(0).getInt64();
  trial.agent = row.getColumn(1).getString();
  trial.candidate.choices = json::parse(row.getColumn(2).getString()).get<std::vector<int>>();
  trial.state = row.getColumn(3).getString() == "complete" ? search::TrialState::kComplete : search::TrialState::kFailed;
  trial.error = row.getColumn(4).getString();
  trial.metrics = numbers_of(row.getColumn(5).getString());
  trial.stddev = row.getColumn(6).getDouble();
  trial.seconds = row.getColumn(7).getDouble();
  return trial;
}

bool is_same_trial(const search::Trial& a, const search::Trial& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.id == b.id && a.agent == b.agent && a.candidate == b.candidate && a.state == b.state &&
         std::equal(a.metrics.begin(), a.metrics.end(), b.metrics.begin(), b.metrics.end(), equal);
}

}  // namespace lathe::experiments

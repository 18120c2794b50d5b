#include "experiments/trial_text.h"

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

search::TrialState state_of(const std::string& text) {
  if (text == "stopped") return search::TrialState::kStopped;
  return text == "complete" ? search::TrialState::kComplete : search::TrialState::kFailed;
}

}  // namespace

const char* text_of(search::TrialState state) {
  if (state == search::TrialState::kStopped) return "stopped";
  return state == search::TrialState::kComplete ? "complete" : "failed";
}

TrialText text_of(const search::Trial& trial) {
  return {.agent = trial.agent,
          .choices = json(trial.candidate.choices).dump(),
          .state = text_of(trial.state),
          .error = trial.error,
          .metrics = numbers_text(trial.metrics)};
}

search::Trial trial_of(std::int64_t id, const TrialText& text, double stddev, double seconds) {
  return {.id = id,
          .agent = text.agent,
          .candidate = {.choices = json::parse(text.choices).get<std::vector<int>>()},
          .state = state_of(text.state),
          .error = text.error,
          .metrics = numbers_of(text.metrics),
          .stddev = stddev,
          .seconds = seconds};
}

}  // namespace lathe::experiments

#include "evaluators/evaluation_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace lathe::evaluators {
namespace {

using nlohmann::json;

// Four rows a hexadecimal digit, the first row in the highest bit.
std::string packed(const std::vector<std::uint8_t>& correct) {
  std::string digits((correct.size() + 3) / 4, '0');
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = 0;
    for (std::size_t k = 0; k < 4; ++k) digit = 2 * digit + (4 * i + k < correct.size() && correct[4 * i + k] != 0 ? 1 : 0);
    digits[i] = "0123456789abcdef"[digit];
  }
  return digits;
}

std::vector<std::uint8_t> unpacked(const std::string& digits, std::size_t rows) {
  std::vector<std::uint8_t> correct;
  for (std::size_t row = 0; row < rows; ++row) {
    const char digit = digits.at(row / 4);
    const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
    correct.push_back(static_cast<std::uint8_t>(value >> (3 - row % 4) & 1));
  }
  return correct;
}

}  // namespace

json evaluation_json(const Evaluation& evaluation) {
  if (!evaluation.is_ok) return {{"error", evaluation.error}, {"seconds", evaluation.seconds}};
  json document{{"accuracy", evaluation.accuracy},   {"interval", {evaluation.interval.first, evaluation.interval.second}},
                {"samples", evaluation.samples},     {"correct", packed(evaluation.correct)},
                {"rows", evaluation.correct.size()}, {"seconds", evaluation.seconds}};
  if (!std::isnan(evaluation.expected_probability)) document["expected_probability"] = evaluation.expected_probability;
  return document;
}

Evaluation evaluation_of(const json& document) {
  if (document.contains("error")) return {.is_ok = false, .error = document["error"], .seconds = document["seconds"]};
  return {.accuracy = document["accuracy"],
          .interval = {document["interval"][0], document["interval"][1]},
          .samples = document["samples"],
          .correct = unpacked(document["correct"].get<std::string>(), document["rows"].get<std::size_t>()),
          .expected_probability = document.value("expected_probability", std::numeric_limits<double>::quiet_NaN()),
          .seconds = document["seconds"]};
}

}  // namespace lathe::evaluators

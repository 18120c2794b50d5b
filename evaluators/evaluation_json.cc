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

// Run stores of version 1 hold a text of 0 and 1, one a row, and no number of rows.
std::vector<std::uint8_t> correct_rows(const json& document) {
  const std::string& text = document.at("correct").get_ref<const std::string&>();
  if (document.contains("rows")) return unpacked(text, document.at("rows").get<std::size_t>());
  std::vector<std::uint8_t> correct;
  for (const char c : text) correct.push_back(c == '1' ? 1 : 0);
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
  const bool is_ok = document.value("is_ok", !document.contains("error"));  // stores of before also hold an empty error
  const double seconds = document.value("seconds", 0.0);
  if (!is_ok) return {.is_ok = false, .error = document.at("error"), .seconds = seconds};
  return {.accuracy = document.at("accuracy"),
          .interval = {document.at("interval").at(0), document.at("interval").at(1)},
          .samples = document.at("samples"),
          .correct = correct_rows(document),
          .expected_probability = document.value("expected_probability", std::numeric_limits<double>::quiet_NaN()),
          .seconds = seconds};
}

}  // namespace lathe::evaluators

#include "experiments/evaluation_json.h"

#include <nlohmann/json.hpp>

namespace lathe::experiments {

using evaluators::Evaluation;
using nlohmann::json;

json to_json(const Evaluation& evaluation) {
  std::string correct;
  for (const std::uint8_t is_right : evaluation.correct) correct += is_right ? '1' : '0';
  return {{"is_ok", evaluation.is_ok},       {"error", evaluation.error},
          {"accuracy", evaluation.accuracy}, {"interval", {evaluation.interval.first, evaluation.interval.second}},
          {"samples", evaluation.samples},   {"correct", correct}};
}

Evaluation evaluation_of(const json& document) {
  Evaluation evaluation{.is_ok = document.value("is_ok", true),  // older stores lack it
                        .error = document.value("error", ""),
                        .accuracy = document.at("accuracy"),
                        .interval = {document.at("interval").at(0), document.at("interval").at(1)},
                        .samples = document.at("samples")};
  for (const char c : document.at("correct").get<std::string>()) evaluation.correct.push_back(c == '1');
  return evaluation;
}

}  // namespace lathe::experiments

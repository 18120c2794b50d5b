#include "experiments/sweep/random_axis.h"

#include <yaml-cpp/yaml.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "experiments/config/config_values.h"
#include "models/base/rng.h"

namespace lathe::experiments {
namespace {

constexpr const char* kForms = "expected {uniform: [low, high]}, {log_uniform: [low, high]}, {integer: [low, high]} or {choice: [...]}";

std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string draw(const SampleDistribution& distribution, Rng& rng) {
  switch (distribution.kind) {
    case SampleDistribution::Kind::kUniform:
      return number_text(rng.uniform(distribution.low, distribution.high));
    case SampleDistribution::Kind::kLogUniform:
      return number_text(std::exp(rng.uniform(std::log(distribution.low), std::log(distribution.high))));
    case SampleDistribution::Kind::kInteger:
      return std::to_string(static_cast<std::int64_t>(distribution.low) +
                            rng.below(static_cast<std::int64_t>(distribution.high - distribution.low) + 1));
    case SampleDistribution::Kind::kChoice:
      break;
  }
  return distribution.choices[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(distribution.choices.size())))];
}

}  // namespace

std::string flow_text(const YAML::Node& node) {
  YAML::Emitter emitter;
  emitter << YAML::Flow << node;
  std::string text = emitter.c_str();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

SampleDistribution read_distribution(ConfigDocument& document, const std::string& path, const YAML::Node& node) {
  static const std::map<std::string, SampleDistribution::Kind> kinds{{"uniform", SampleDistribution::Kind::kUniform},
                                                                     {"log_uniform", SampleDistribution::Kind::kLogUniform},
                                                                     {"integer", SampleDistribution::Kind::kInteger},
                                                                     {"choice", SampleDistribution::Kind::kChoice}};
  SampleDistribution distribution;
  const auto refuse = [&](const std::string& expected) {
    document.fault(path, node, expected, text_of(node));
    return distribution;
  };
  if (!node.IsMap() || node.size() != 1) return refuse(kForms);
  const auto kind = kinds.find(text_of(node.begin()->first));
  const YAML::Node arguments = node.begin()->second;
  if (kind == kinds.end() || !arguments.IsSequence() || arguments.size() == 0) return refuse(kForms);
  distribution.kind = kind->second;
  if (distribution.kind == SampleDistribution::Kind::kChoice) {
    for (const YAML::Node& choice : arguments) distribution.choices.push_back(flow_text(choice));
    return distribution;
  }
  std::vector<double> range;
  if (!read_value(document, path, arguments, Rule{.at_least = -1e15, .at_most = 1e15}, range)) return distribution;
  if (range.size() != 2 || !(range[0] < range[1])) return refuse(kForms);
  distribution.low = range[0];
  distribution.high = range[1];
  if (distribution.kind == SampleDistribution::Kind::kLogUniform && !(distribution.low > 0)) return refuse("expected a low end above 0");
  if (distribution.kind == SampleDistribution::Kind::kInteger && (std::floor(range[0]) != range[0] || std::floor(range[1]) != range[1]))
    return refuse("expected whole numbers");
  return distribution;
}

Axis draw_axis(const std::vector<std::pair<std::string, SampleDistribution>>& draws, int count, std::uint64_t seed) {
  Axis axis{.points = std::vector<std::vector<std::string>>(static_cast<std::size_t>(count))};
  for (const auto& [key, distribution] : draws) {
    axis.keys.push_back(key);
    for (std::size_t i = 0; i < axis.points.size(); ++i) {
      Rng rng(seed, "sweep/" + key, i);
      axis.points[i].push_back(draw(distribution, rng));
    }
  }
  return axis;
}

}  // namespace lathe::experiments

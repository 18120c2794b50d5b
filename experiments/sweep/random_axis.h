// Axes of a sweep that are drawn at random: random search over keys of the config (J. Bergstra, Y. Bengio: Random Search for
// Hyper-Parameter Optimization, JMLR 13, 2012), each draw a pure function of the sweep's own seed, the key and the number of the draw.
#pragma once

#include <yaml-cpp/node/node.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "experiments/config/config_document.h"
#include "experiments/sweep/sweep_file.h"

namespace lathe::experiments {

struct SampleDistribution {
  enum class Kind { kUniform, kLogUniform, kInteger, kChoice };
  Kind kind = Kind::kUniform;
  double low = 0, high = 1;          // both included for kInteger
  std::vector<std::string> choices;  // YAML on one line; of kChoice
};

// {uniform: [a, b]}, {log_uniform: [a, b]}, {integer: [a, b]} or {choice: [...]}; faults are noted in the document.
SampleDistribution read_distribution(ConfigDocument& document, const std::string& path, const YAML::Node& node);

// One axis of `count` points whose keys are drawn independently.
Axis draw_axis(const std::vector<std::pair<std::string, SampleDistribution>>& draws, int count, std::uint64_t seed);

// The node as YAML on one line.
std::string flow_text(const YAML::Node& node);

}  // namespace lathe::experiments

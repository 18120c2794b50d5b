// Small networks that make_networks.py wrote, run on random inputs, for tests that compare two networks.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "models/base/rng.h"
#include "models/executor.h"
#include "models/network.h"
#include "models/onnx_reader.h"
#include "policies/coupling_groups.h"

namespace lathe::policies {

inline constexpr std::int64_t kBatch = 3;
inline constexpr double kTolerance = 1e-5;  // of the largest output: the two sum the same products in another order

inline std::filesystem::path networks_folder() {
  return std::filesystem::path(LATHE_BINARY_DIR) / "tests/policies/networks";
}

inline std::vector<std::string> network_names() {
  std::vector<std::string> names;
  if (!std::filesystem::exists(networks_folder())) return names;
  for (const auto& file : std::filesystem::directory_iterator(networks_folder())) {
    if (file.path().extension() == ".onnx") names.push_back(file.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A network of LATHE_DATA, prepared for pruning; an empty one where that lacks it.
inline models::Network data_network(const std::string& name) {
  const char* folder = std::getenv("LATHE_DATA");
  const std::filesystem::path data = folder ? folder : std::filesystem::path(LATHE_SOURCE_DIR) / "../shared/data";
  const std::filesystem::path file = data / "models" / (name + ".onnx");
  return std::filesystem::exists(file) ? prepare_for_pruning(models::read_onnx(file)) : models::Network{};
}

// Random normal values, or for integers ids below 20; a mask is ones with some zeros behind.
inline std::vector<at::Tensor> random_inputs(const models::Network& network, Rng& rng) {
  std::vector<at::Tensor> inputs;
  for (const models::ValueId id : network.inputs) {
    std::vector<std::int64_t> shape = network.value(id).shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? kBatch : extent;
    const bool is_float = network.value(id).type == models::DataType::kFloat32;
    const bool is_mask = network.value(id).name.find("mask") != std::string::npos;
    at::Tensor tensor = at::empty(shape, is_float ? at::kFloat : at::kLong);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      if (is_float) tensor.data_ptr<float>()[i] = static_cast<float>(rng.normal());
      if (!is_float) tensor.data_ptr<std::int64_t>()[i] = is_mask ? i % shape.back() < 4 : rng.below(20);
    }
    inputs.push_back(tensor);
  }
  return inputs;
}

inline void expect_same_outputs(const models::Network& pruned, const models::Network& masked, std::uint64_t seed,
                                double tolerance = kTolerance) {
  Rng rng(seed, "inputs");
  const std::vector<at::Tensor> inputs = random_inputs(masked, rng);
  const std::vector<at::Tensor> a = models::Executor(pruned).run(inputs), b = models::Executor(masked).run(inputs);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].sizes(), b[i].sizes());
    const double difference = (a[i] - b[i]).abs().max().item<double>(), scale = b[i].abs().max().item<double>();
    EXPECT_LE(difference, tolerance * scale) << "output " << i;
  }
}

}  // namespace lathe::policies

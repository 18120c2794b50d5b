// Networks and data small enough to reason about.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <string>
#include <vector>

#include "evaluators/dataset.h"
#include "models/base/rng.h"
#include "models/network.h"
#include "models/resnet_builder.h"

namespace lathe::evaluators {

// logits = x W' + b on inputs [N, columns of W].
inline models::Network linear_network(const std::vector<std::vector<float>>& weight, const std::vector<float>& bias) {
  const auto classes = static_cast<std::int64_t>(weight.size()), features = static_cast<std::int64_t>(weight[0].size());
  std::vector<float> flat;
  for (const auto& row : weight) flat.insert(flat.end(), row.begin(), row.end());
  models::Network network{.name = "linear"};
  const auto x = network.add_value({"x", models::DataType::kFloat32, {models::kDynamic, features}});
  const auto w = network.add_constant("w", models::Tensor::from<float>({classes, features}, flat));
  const auto b = network.add_constant("b", models::Tensor::from<float>({classes}, bias));
  const auto y = network.add_value({"y", models::DataType::kFloat32, {models::kDynamic, classes}});
  network.nodes.push_back({.name = "fc", .op = "Gemm", .inputs = {x, w, b}, .outputs = {y}, .attributes = {{"transB", std::int64_t{1}}}});
  network.inputs = {x};
  network.outputs = {y};
  return network;
}

inline Rows float_rows(const std::vector<std::vector<float>>& x, const std::vector<std::int64_t>& labels) {
  std::vector<float> flat;
  for (const auto& row : x) flat.insert(flat.end(), row.begin(), row.end());
  Rows rows;
  rows.inputs = {at::tensor(at::ArrayRef<float>(flat)).view({static_cast<std::int64_t>(x.size()), static_cast<std::int64_t>(x[0].size())})};
  rows.labels = at::tensor(at::ArrayRef<std::int64_t>(labels), at::TensorOptions().dtype(at::kLong));
  return rows;
}

// 8x8 grey images of three classes: horizontal stripes, vertical stripes, a checkerboard, with phase and noise at random.
inline Rows stripes(std::int64_t count, std::uint64_t seed) {
  Rows rows;
  rows.inputs = {at::empty({count, 1, 8, 8}, at::kByte)};
  rows.labels = at::empty({count}, at::kLong);
  rows.mean = {0.5F};
  rows.stddev = {0.3F};
  auto* pixels = rows.inputs[0].data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(seed, "stripes", static_cast<std::uint64_t>(i));
    const std::int64_t label = rng.below(3), phase = rng.below(2);
    rows.labels.data_ptr<std::int64_t>()[i] = label;
    for (std::int64_t y = 0; y < 8; ++y) {
      for (std::int64_t x = 0; x < 8; ++x) {
        const std::int64_t stripe = label == 0 ? y : label == 1 ? x : x + y;
        const double bright = (stripe + phase) % 2 == 0 ? 160 : 96;
        *pixels++ = static_cast<std::uint8_t>(std::clamp(bright + 40 * rng.normal(), 0.0, 255.0));
      }
    }
  }
  return rows;
}

inline Dataset stripes_dataset() {
  return {.name = "stripes",
          .classes = 3,
          .train = stripes(600, 1),
          .calibration = stripes(100, 2),
          .search = stripes(300, 3),
          .test = stripes(400, 4)};
}

inline models::Network small_resnet() {
  return models::make_resnet({.name = "small", .in_channels = 1, .height = 8, .width = 8, .classes = 3, .widths = {8, 16}, .seed = 5});
}

}  // namespace lathe::evaluators

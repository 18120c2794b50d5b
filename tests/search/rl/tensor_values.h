// Numbers into tensors and out of them, as tests write them down.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "search/rl/networks.h"

namespace lathe::search {

inline at::Tensor column(std::vector<float> values) {
  return to_tensor(values, static_cast<std::int64_t>(values.size()));
}

inline double at_row(const at::Tensor& tensor, std::int64_t row) {
  return tensor.reshape({-1})[row].item<float>();
}

}  // namespace lathe::search

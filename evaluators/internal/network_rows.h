// Between rows of a data set and a network's own input types and output shape.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "evaluators/dataset.h"
#include "models/executor.h"
#include "models/network.h"

namespace lathe::evaluators::internal {

// Integer inputs in the width that the network declares (arrays are stored as int64); others unchanged.
std::vector<at::Tensor> as_network_inputs(const models::Network& network, std::vector<at::Tensor> inputs);

// Calls `take` with the network's first output, on the CPU, for one batch after the other and the index of its first row, until it returns
// false. count: the first rows that are run, 0 = all. Throws std::runtime_error where an output is not finite. Single-threaded in LibTorch.
void for_each_output(const models::Executor& executor, const Rows& rows, std::int64_t count, std::int64_t batch_size,
                     const std::function<bool(std::int64_t begin, const at::Tensor& output)>& take);

// The first output as [n, classes].
at::Tensor logits_of(const std::vector<at::Tensor>& outputs);

}  // namespace lathe::evaluators::internal

// What a training that is under way has changed, as bytes, so that it can go on in another process as if nothing had happened. Batches are
// functions of seed and step (training_batches.h), so that the tensors are all there is.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace lathe::evaluators::internal {

// In the form of PyTorch's `torch.save`.
std::string state_bytes(const std::vector<at::Tensor>& tensors);

// Copies the values into `tensors`, on whatever device they are. False, and nothing is changed, where the bytes cannot be read or are of
// other tensors: of another number, shape or type.
[[nodiscard]] bool restore_state(const std::string& bytes, const std::vector<at::Tensor>& tensors);

}  // namespace lathe::evaluators::internal

#include "evaluators/internal/training_state.h"

#include <ATen/core/List.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <cstddef>

namespace lathe::evaluators::internal {

std::string state_bytes(const std::vector<at::Tensor>& tensors) {
  c10::List<at::Tensor> copies;
  for (const at::Tensor& tensor : tensors) copies.push_back(tensor.detach().to(at::kCPU).contiguous());
  const std::vector<char> bytes = torch::jit::pickle_save(copies);
  return {bytes.begin(), bytes.end()};
}

bool restore_state(const std::string& bytes, const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> read;
  try {
    read = torch::jit::pickle_load({bytes.begin(), bytes.end()}).toTensorVector();
  } catch (const c10::Error&) {
    return false;
  }
  if (read.size() != tensors.size()) return false;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (read[i].sizes() != tensors[i].sizes() || read[i].scalar_type() != tensors[i].scalar_type()) return false;
  }
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < read.size(); ++i) tensors[i].detach().copy_(read[i]);
  return true;
}

}  // namespace lathe::evaluators::internal

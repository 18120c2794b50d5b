// What a walking agent has learned, as bytes: for another search to begin with.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lathe::search {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// How far an agent had come.
struct LearningProgress {
  std::string kind;
  std::int64_t trials = 0;  // that it had learned
};

// A dictionary in PyTorch's pickle format (torch.load reads it): format, version, kind, trials, and the tensors by name.
std::string save_networks(const LearningProgress& progress, const NamedTensors& tensors);

// Copies the saved values into `into`, whose names and shapes must be those that were saved, as those of any walking agent of one kind and
// one width of hidden layers are. Throws UserError where they are not, or `saved` is something else.
LearningProgress restore_networks(const std::string& saved, const std::string& kind, const NamedTensors& into);

}  // namespace lathe::search

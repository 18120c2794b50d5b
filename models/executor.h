// Runs a Network on LibTorch, with gradients where asked for. Values are freed at their last use; 4-D activations are kept in
// channels_last, where convolutions are fastest on CPUs.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::models {

struct RunOptions {
  // Normalize with the statistics of the batch and update the running ones (momentum as below) in every BatchNormalization.
  bool batch_statistics = false;
  double batch_norm_momentum = 0.1;  // weight of the new batch; PyTorch's convention
  // Called with every computed value that `observed` lists (all float values if empty), before it is freed.
  std::function<void(ValueId, const at::Tensor&)> observer;
  std::vector<ValueId> observed;
};

// Thread-safe for inference: run() is const and keeps no state. With batch_statistics one thread at a time.
// Gradients flow when the caller has grad mode on and parameters require them (`trainable` below).
class Executor {
 public:
  // device: "cpu" or "cuda". float_type: what floats are computed in, at::kHalf for inference on GPUs. Constants are converted once. The
  // first executor of a process has glibc keep freed memory for reuse (see internal/allocator.h).
  explicit Executor(Network network, const std::string& device = "cpu", at::ScalarType float_type = at::kFloat);
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;

  const Network& network() const;

  // inputs: in the order of network().inputs; outputs likewise. Shapes must match but for the batch.
  std::vector<at::Tensor> run(std::span<const at::Tensor> inputs, const RunOptions& options = {}) const;

  // Float constants that training changes: all of rank >= 1 but BatchNormalization's running statistics and quantization scales.
  // The tensors are the executor's own: an optimizer that changes them in place changes what run() computes.
  std::map<ValueId, at::Tensor> trainable() const;
  // Any constant (also running statistics, scales), for reading or in-place change.
  at::Tensor constant(ValueId id) const;

  // The network with its constants as they now are (after training).
  Network snapshot() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Copies between our tensors and LibTorch's.
at::Tensor to_torch(const Tensor& tensor);
Tensor from_torch(const at::Tensor& tensor);

}  // namespace lathe::models

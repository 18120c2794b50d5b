#include "experiments/profile/torch_job.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <vector>

#include "experiments/profile/cuda_graph.h"
#include "models/executor.h"
#include "models/internal/torch_types.h"

namespace lathe::experiments {

namespace {

std::vector<at::Tensor> inputs_of_ones(const models::Network& network, const TorchJobOptions& options) {
  std::vector<at::Tensor> inputs;
  for (const models::ValueId id : network.inputs) {
    const models::Value& value = network.value(id);
    models::Shape shape = value.shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? options.batch : extent;
    // In the executor's own type, so that a run does not begin with a conversion.
    const at::ScalarType type = models::internal::execution_type(value.type);
    inputs.push_back(
        at::ones(shape, at::TensorOptions().dtype(options.is_half && type == at::kFloat ? at::kHalf : type).device(options.device)));
  }
  return inputs;
}

}  // namespace

std::function<void()> make_torch_job(const models::Network& network, const TorchJobOptions& options) {
  const auto executor = std::make_shared<models::Executor>(network, options.device, options.is_half ? at::kHalf : at::kFloat);
  const auto run = [executor, inputs = inputs_of_ones(network, options), threads = options.threads] {
    const c10::InferenceMode inference;
    at::set_num_threads(threads);
    return executor->run(inputs);
  };
  if (options.is_graph) return [graph = CudaGraph(run), run] { graph.replay(); };
  return [run] {
    // Reading a number waits for the device; the whole of a layer's output would take longer than the layer.
    for (at::Tensor output : run()) {
      while (output.dim() > 0) output = output.select(0, 0);
      output.item();
    }
  };
}

bool has_cuda() {
  return at::hasCUDA();
}

}  // namespace lathe::experiments

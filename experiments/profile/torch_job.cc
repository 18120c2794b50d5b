#include "experiments/profile/torch_job.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <vector>

#include "models/executor.h"
#include "models/internal/torch_types.h"

namespace lathe::experiments {

std::function<void()> make_torch_job(const models::Network& network, const std::string& device, int threads, int batch) {
  auto executor = std::make_shared<models::Executor>(network, device);
  std::vector<at::Tensor> inputs;
  for (const models::ValueId id : network.inputs) {
    const models::Value& value = network.value(id);
    models::Shape shape = value.shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? batch : extent;
    inputs.push_back(at::ones(shape, at::TensorOptions().dtype(models::internal::execution_type(value.type)).device(device)));
  }
  return [executor, inputs, threads] {
    const c10::InferenceMode inference;
    at::set_num_threads(threads);
    // Copying a result to the host waits for the device.
    for (const at::Tensor& output : executor->run(inputs)) output.cpu();
  };
}

bool has_cuda() {
  return at::hasCUDA();
}

}  // namespace lathe::experiments

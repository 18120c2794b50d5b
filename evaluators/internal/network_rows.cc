#include "evaluators/internal/network_rows.h"

#include <ATen/Parallel.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <stdexcept>

#include "models/base/check.h"

namespace lathe::evaluators::internal {

std::vector<at::Tensor> as_network_inputs(const models::Network& network, std::vector<at::Tensor> inputs) {
  LATHE_CHECK_EQ(inputs.size(), network.inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto type = network.value(network.inputs[i]).type;
    if (type == models::DataType::kInt32) inputs[i] = inputs[i].to(at::kInt);
    if (type == models::DataType::kBool) inputs[i] = inputs[i].to(at::kBool);
  }
  return inputs;
}

void for_each_output(const models::Executor& executor, const Rows& rows, std::int64_t count, std::int64_t batch_size,
                     const std::function<bool(std::int64_t begin, const at::Tensor& output)>& take) {
  LATHE_CHECK_GT(batch_size, 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const std::int64_t end = count > 0 ? std::min(count, rows.size()) : rows.size();
  for (std::int64_t begin = 0; begin < end; begin += batch_size) {
    const auto inputs = as_network_inputs(executor.network(), rows.batch(begin, std::min(end, begin + batch_size)));
    const at::Tensor output = executor.run(inputs).at(0).to(at::kCPU);
    if (!at::isfinite(output).all().item().toBool()) throw std::runtime_error("the network's outputs are not finite numbers");
    if (!take(begin, output)) return;
  }
}

at::Tensor logits_of(const std::vector<at::Tensor>& outputs) {
  LATHE_CHECK(!outputs.empty());
  return outputs[0].reshape({outputs[0].size(0), -1});
}

}  // namespace lathe::evaluators::internal

#include "evaluators/internal/network_rows.h"

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

at::Tensor logits_of(const std::vector<at::Tensor>& outputs) {
  LATHE_CHECK(!outputs.empty());
  return outputs[0].reshape({outputs[0].size(0), -1});
}

}  // namespace lathe::evaluators::internal

#include "evaluators/internal/weight_scales.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include "models/base/check.h"
#include "models/learned_scales.h"

namespace lathe::evaluators::internal {

void refresh_weight_scales(const models::Executor& executor, policies::RangeMethod method) {
  const c10::NoGradGuard no_grad;
  const models::Network& network = executor.network();
  for (const auto& node : network.nodes) {
    if (node.op != "FakeQuantize" || !network.is_constant(node.inputs[0]) || models::learns_scale(node)) continue;
    const models::Tensor weight = models::from_torch(executor.constant(node.inputs[0]).detach().cpu().contiguous());
    const std::int64_t axis = models::int_attribute(node, "axis", -1);
    const int bits = static_cast<int>(models::int_attribute(node, "bits", 8));
    auto parameters = method == policies::RangeMethod::kMse ? policies::symmetric_per_channel_mse(weight, axis, bits)
                                                            : policies::symmetric_per_channel(weight, axis, bits);
    at::Tensor scale = executor.constant(node.inputs[1]);
    LATHE_CHECK_EQ(scale.numel(), static_cast<std::int64_t>(parameters.scale.size()));
    scale.copy_(at::from_blob(parameters.scale.data(), scale.sizes(), at::kFloat));
  }
}

}  // namespace lathe::evaluators::internal

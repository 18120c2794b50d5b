#include "evaluators/internal/weight_quantizer.h"

#include "evaluators/internal/mean_outlet.h"

namespace lathe::evaluators::internal {

using models::Network;
using models::Node;

const Node* weight_quantizer(const Network& quantized, const Node& layer) {
  for (const Node& node : quantized.nodes) {
    if (node.op != "FakeQuantize" || node.outputs[0] != layer.inputs[1]) continue;
    const bool is_own =
        quantized.is_constant(node.inputs[0]) && uses(quantized, node.inputs[0]) == 1 && uses(quantized, node.outputs[0]) == 1;
    return is_own ? &node : nullptr;
  }
  return nullptr;
}

}  // namespace lathe::evaluators::internal

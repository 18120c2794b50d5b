#include <algorithm>
#include <set>

#include "models/operators.h"
#include "policies/coupling_groups.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

// Along more than one axis: a table or a matrix, whose sharing is the network's design. [1, C, 1, 1] is a vector.
bool is_matrix(const models::Tensor& tensor) {
  return std::count_if(tensor.shape().begin(), tensor.shape().end(), [](std::int64_t size) { return size != 1; }) >= 2;
}

}  // namespace

models::Network prepare_for_pruning(models::Network network) {
  std::set<models::ValueId> used;
  for (models::Node& node : network.nodes) {
    const int weight = models::weight_input(network, node);
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const models::ValueId id = node.inputs[k];
      if (id == models::kNoValue || !network.is_constant(id) || static_cast<int>(k) == weight) continue;
      if (is_matrix(network.constants.at(id)) || used.insert(id).second) continue;
      const models::Tensor copy = network.constants.at(id);
      node.inputs[k] = network.add_constant(network.value(id).name, copy);
    }
  }
  return insert_token_selections(std::move(network));
}

}  // namespace lathe::policies

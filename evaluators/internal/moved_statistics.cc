#include "evaluators/internal/moved_statistics.h"

#include <map>
#include <string>
#include <vector>

namespace lathe::evaluators::internal {
namespace {

// mean + (measured - reference) and variance * measured / reference, channel by channel.
models::Tensor shifted_mean(const models::Tensor& trained, const models::Tensor& measured, const models::Tensor& reference) {
  std::vector<float> mean = trained.to_floats();
  const std::vector<float> now = measured.to_floats(), before = reference.to_floats();
  for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += now[c] - before[c];
  return models::Tensor::from<float>(trained.shape(), mean);
}
models::Tensor scaled_variance(const models::Tensor& trained, const models::Tensor& measured, const models::Tensor& reference) {
  constexpr float kLeast = 1e-12F;  // a channel that is constant on the calibration rows says nothing of its variance
  std::vector<float> variance = trained.to_floats();
  const std::vector<float> now = measured.to_floats(), before = reference.to_floats();
  for (std::size_t c = 0; c < variance.size(); ++c) variance[c] = before[c] > kLeast ? variance[c] * now[c] / before[c] : now[c];
  return models::Tensor::from<float>(trained.shape(), variance);
}

std::map<std::string, const models::Node*> nodes_by_name(const models::Network& network) {
  std::map<std::string, const models::Node*> nodes;
  for (const auto& node : network.nodes) nodes[node.name] = &node;
  return nodes;
}

}  // namespace

models::Network with_moved_statistics(models::Network network, const models::Network& measured, const Uncompressed& uncompressed) {
  const auto measured_nodes = nodes_by_name(measured), trained_nodes = nodes_by_name(uncompressed.trained),
             calibrated_nodes = nodes_by_name(uncompressed.calibrated);
  for (const auto& node : network.nodes) {
    if (node.op != "BatchNormalization") continue;
    const auto moved = [&](std::size_t input, auto move) {
      const auto of = [&](const models::Network& other, const auto& nodes) {
        return other.constants.at(nodes.at(node.name)->inputs[input]);
      };
      network.constants.at(node.inputs[input]) =
          move(of(uncompressed.trained, trained_nodes), of(measured, measured_nodes), of(uncompressed.calibrated, calibrated_nodes));
    };
    moved(3, shifted_mean);
    moved(4, scaled_variance);
  }
  return network;
}

}  // namespace lathe::evaluators::internal

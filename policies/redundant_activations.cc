#include "policies/redundant_activations.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr std::int64_t kByteBits = 8;

class ActivationDropper {
 public:
  explicit ActivationDropper(const Network& network) : network_(network), consumers_(models::consumers(network)) {}

  Network run() {
    Network result = network_;
    result.nodes.clear();
    std::map<ValueId, ValueId> replaced;
    for (const Node& node : network_.nodes) {
      if (is_redundant(node)) {
        const auto source = replaced.find(node.inputs[0]);
        replaced[node.outputs[0]] = source == replaced.end() ? node.inputs[0] : source->second;
        continue;
      }
      result.nodes.push_back(node);
      for (ValueId& input : result.nodes.back().inputs) {
        if (const auto found = replaced.find(input); found != replaced.end()) input = found->second;
      }
    }
    return result;
  }

 private:
  bool is_redundant(const Node& node) const {
    if (!node.domain.empty() || (node.op != "Relu" && node.op != "Clip")) return false;
    const ValueId output = node.outputs[0];
    const auto& outputs = network_.outputs;
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(output)];
    if (readers.empty() || std::find(outputs.begin(), outputs.end(), output) != outputs.end()) return false;
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      const Node& quantizer = network_.nodes[static_cast<std::size_t>(reader)];
      return quantizer.op == "FakeQuantize" && models::int_attribute(quantizer, "bits", kByteBits) <= kByteBits && clips(node, quantizer);
    });
  }

  // An absent bound is infinite; a computed one is not known.
  std::optional<double> bound(const Node& clip, std::size_t input, double otherwise) const {
    if (input >= clip.inputs.size() || clip.inputs[input] == models::kNoValue) return otherwise;
    if (!network_.is_constant(clip.inputs[input])) return std::nullopt;
    return network_.constants.at(clip.inputs[input]).to_floats().at(0);
  }

  bool clips(const Node& node, const Node& quantizer) const {
    const QuantizationParameters parameters = parameters_of(network_, quantizer);
    const double scale = parameters.scale[0], zero_point = parameters.zero_point[0];
    const std::optional<double> low = node.op == "Relu" ? 0.0 : bound(node, 1, -INFINITY);
    const std::optional<double> high = node.op == "Relu" ? INFINITY : bound(node, 2, INFINITY);
    if (!low || !high) return false;
    return std::nearbyint(*low / scale) + zero_point <= parameters.quant_min &&
           std::nearbyint(*high / scale) + zero_point >= parameters.quant_max;
  }

  const Network& network_;
  std::vector<std::vector<int>> consumers_;
};

}  // namespace

models::Network drop_redundant_activations(const Network& network) {
  return ActivationDropper(network).run();
}

}  // namespace lathe::policies

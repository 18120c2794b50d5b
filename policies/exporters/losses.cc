#include "policies/exporters/losses.h"

#include <algorithm>
#include <functional>

#include "policies/architecture.h"

namespace lathe::policies {

std::string named(const std::vector<std::string>& layers) {
  constexpr std::size_t kShown = 3;
  std::string text = std::to_string(layers.size()) + (layers.size() == 1 ? " layer (" : " layers (");
  for (std::size_t i = 0; i < std::min(kShown, layers.size()); ++i) text += (i > 0 ? ", " : "") + layers[i];
  return text + (layers.size() > kShown ? ", ...)" : ")");
}

std::vector<std::string> losses(const Policy& policy, const Expressible& expressible) {
  std::vector<std::string> sentences;
  const bool is_cut = std::any_of(policy.groups.begin(), policy.groups.end(),
                                  [](const GroupPolicy& group) { return group.keep_ratio < 1 && group.criterion != kAttentionCriterion; });
  if (is_cut && !expressible.channels)
    sentences.push_back("the format has no word for cut channels: give the tool the network that `lathe apply` writes");
  if (changes_architecture(policy) && !expressible.compressed_network)
    sentences.push_back(
        "the format has no word for residual blocks left out and layers in two factors: give the tool the network that "
        "`lathe apply` writes");
  const bool drops_tokens = std::any_of(policy.groups.begin(), policy.groups.end(),
                                        [](const GroupPolicy& group) { return group.criterion == kAttentionCriterion; });
  if (drops_tokens && !expressible.compressed_network)
    sentences.push_back("the format has no word for dropped tokens: give the tool the network that `lathe apply` writes");
  const auto add = [&](bool is_expressible, const std::function<bool(const LayerPolicy&)>& asks, const std::string& what) {
    std::vector<std::string> layers;
    for (const LayerPolicy& layer : policy.layers) {
      if (asks(layer)) layers.push_back(layer.name);
    }
    if (!is_expressible && !layers.empty()) sentences.push_back(named(layers) + ": " + what);
  };
  add(
      expressible.integer_weights, [](const auto& layer) { return layer.weight_format == "int"; }, "the weights' width is left out");
  add(
      false, [&](const auto& layer) { return layer.activation_format == "int" && layer.activation_bits > expressible.widest_activation; },
      "the activations' width is left out");
  add(
      expressible.other_formats,
      [](const auto& layer) {
        const bool is_plain_float = layer.weight_format == "float" && layer.weight_bits == 32;
        return layer.weight_format != "int" && !is_plain_float;
      },
      "the weights' number format is left out");
  add(
      expressible.dynamic_ranges, [](const auto& layer) { return layer.dynamic; }, "dynamic ranges of activations are left out");
  add(
      expressible.sparsity, [](const auto& layer) { return layer.sparsity > 0; }, "sparsity is left out");
  return sentences;
}

}  // namespace lathe::policies

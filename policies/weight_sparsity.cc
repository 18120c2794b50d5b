#include "policies/weight_sparsity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "models/base/check.h"
#include "models/operators.h"
#include "policies/layer_policies.h"
#include "policies/weight_blocks.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;

// Marks the `count` smallest scores among those at `indices`; of equal ones the first.
void drop_smallest(const std::vector<double>& scores, std::vector<std::size_t>& indices, std::int64_t count, std::vector<bool>& kept) {
  const auto is_smaller = [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] < scores[b] : a < b; };
  std::nth_element(indices.begin(), indices.begin() + count, indices.end(), is_smaller);
  for (std::int64_t i = 0; i < count; ++i) kept[indices[static_cast<std::size_t>(i)]] = false;
}

std::vector<double> sums_of_squares(const std::vector<float>& values, const WeightBlocks& blocks) {
  std::vector<double> sums(static_cast<std::size_t>(blocks.count()), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i)
    sums[static_cast<std::size_t>(blocks.block_of(static_cast<std::int64_t>(i)))] += static_cast<double>(values[i]) * values[i];
  return sums;
}

std::vector<bool> kept_of_each_four(const Tensor& weight, int input_axis, const std::vector<float>& values) {
  std::vector<bool> kept(values.size(), true);
  const std::vector<double> squares = sums_of_squares(values, WeightBlocks(weight.shape(), input_axis, 1));
  const auto axis = static_cast<std::size_t>(input_axis);
  const std::int64_t channels = weight.shape()[axis];
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < weight.shape().size(); ++i) inner *= weight.shape()[i];
  std::vector<std::size_t> four;
  for (std::int64_t start = 0; start < weight.size(); start += channels * inner) {
    for (std::int64_t offset = 0; offset < inner; ++offset) {
      for (std::int64_t first = 0; first < channels; first += kPatternGroup) {
        const std::int64_t end = std::min(channels, first + kPatternGroup);
        four.clear();
        for (std::int64_t c = first; c < end; ++c) four.push_back(static_cast<std::size_t>(start + c * inner + offset));
        drop_smallest(squares, four, std::max<std::int64_t>(0, end - first - kPatternKept), kept);
      }
    }
  }
  return kept;
}

Tensor with_zeros(const Tensor& weight, const std::vector<bool>& kept) {
  std::vector<float> values = weight.to_floats();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!kept[i]) values[i] = 0;
  }
  return Tensor::from<float>(weight.shape(), values);
}

// LAMP scores in ascending order of magnitude.
std::vector<double> layer_scores(const Tensor& weight) {
  std::vector<double> squares;
  for (const float value : weight.to_floats()) squares.push_back(static_cast<double>(value) * value);
  std::sort(squares.begin(), squares.end());
  double not_smaller = 0;
  for (auto square = squares.rbegin(); square != squares.rend(); ++square) {
    not_smaller += *square;
    *square = not_smaller > 0 ? *square / not_smaller : 0;
  }
  return squares;
}

}  // namespace

std::int64_t kept_weights(std::int64_t elements, double sparsity) {
  return elements - std::llround(sparsity * static_cast<double>(elements));
}

std::int64_t kept_by_pattern(std::int64_t elements, std::int64_t channels) {
  const std::int64_t kept = channels / kPatternGroup * kPatternKept + std::min(channels % kPatternGroup, kPatternKept);
  return elements / channels * kept;
}

std::int64_t block_outputs(const LayerPolicy& layer) {
  return is_sparse(layer) && layer.pattern == kBlocksOfFour ? kBlockOutputs : 1;
}

WeightUnits weight_units(std::int64_t elements, std::int64_t in_channels, std::int64_t out_channels, const LayerPolicy& layer) {
  if (!is_sparse(layer)) return {elements, elements, 1};
  if (layer.pattern == kTwoOfFour) return {elements, kept_by_pattern(elements, in_channels), 1};
  const std::int64_t size = block_outputs(layer);
  const std::int64_t count = elements / out_channels * ((out_channels + size - 1) / size);
  return {count, kept_weights(count, layer.sparsity), size};
}

std::vector<bool> kept_by_magnitude(const Tensor& weight, WeightAxes axes, const LayerPolicy& layer) {
  const std::vector<float> values = weight.to_floats();
  if (layer.pattern == kTwoOfFour) return kept_of_each_four(weight, axes.input, values);
  const WeightBlocks blocks(weight.shape(), axes.output, block_outputs(layer));
  const std::vector<double> scores = sums_of_squares(values, blocks);
  std::vector<bool> stays(scores.size(), true);
  std::vector<std::size_t> indices(scores.size());
  std::iota(indices.begin(), indices.end(), 0);
  drop_smallest(scores, indices, blocks.count() - kept_weights(blocks.count(), layer.sparsity), stays);
  std::vector<bool> kept(values.size());
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = stays[static_cast<std::size_t>(blocks.block_of(static_cast<std::int64_t>(i)))];
  return kept;
}

WeightAxes weight_axes(const Network& network, const Node& layer) {
  const int operand = models::weight_input(network, layer);
  LATHE_CHECK_GE(operand, 0);
  return weight_axes(layer, operand, static_cast<int>(network.value(layer.inputs[static_cast<std::size_t>(operand)]).shape.size()));
}

WeightAxes weight_axes(const Node& layer, int operand, int rank) {
  if (layer.op == "Conv") return {1, 0};
  if (layer.op == "ConvTranspose") return {0, 1};
  if (layer.op == "Gemm") return models::gemm_attributes(layer).transpose_b ? WeightAxes{1, 0} : WeightAxes{0, 1};
  LATHE_CHECK_EQ(layer.op, "MatMul");
  return operand == 1 ? WeightAxes{rank - 2, rank - 1} : WeightAxes{rank - 1, rank - 2};
}

bool is_sparse(const LayerPolicy& layer) {
  return layer.sparsity > 0;
}

bool is_sparse(const Policy& policy) {
  return std::any_of(policy.layers.begin(), policy.layers.end(), [](const LayerPolicy& layer) { return is_sparse(layer); });
}

models::SparseInitializers sparse_initializers_for(const Policy& policy) {
  return is_sparse(policy) ? models::SparseInitializers::kWhereSmaller : models::SparseInitializers::kNever;
}

Network sparsify_by_magnitude(const Network& network, const Policy& policy) {
  Network result = network;
  const std::vector<const LayerPolicy*> layers = layer_policies(network, policy);
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    if (layers[n] == nullptr || !is_sparse(*layers[n])) continue;
    const Node& node = network.nodes[n];
    Tensor& weight = result.constants.at(node.inputs[static_cast<std::size_t>(models::weight_input(network, node))]);
    weight = with_zeros(weight, kept_by_magnitude(weight, weight_axes(network, node), *layers[n]));
  }
  return result;
}

std::vector<double> global_sparsities(const Network& network, const std::vector<std::string>& layers, double sparsity) {
  const std::map<std::string, int> nodes = models::node_indices(network);
  struct Scored {
    double score;
    std::size_t layer;
  };
  std::vector<Scored> all;
  std::vector<std::int64_t> elements(layers.size()), dropped(layers.size(), 0);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Node& node = network.nodes[static_cast<std::size_t>(nodes.at(layers[l]))];
    const Tensor& weight = network.constants.at(node.inputs[static_cast<std::size_t>(models::weight_input(network, node))]);
    for (const double score : layer_scores(weight)) all.push_back({score, l});
    elements[l] = weight.size();
  }
  std::stable_sort(all.begin(), all.end(), [](const Scored& a, const Scored& b) { return a.score < b.score; });
  const auto total = static_cast<std::int64_t>(all.size());
  for (std::int64_t i = 0; i < total - kept_weights(total, sparsity); ++i) ++dropped[all[static_cast<std::size_t>(i)].layer];
  std::vector<double> sparsities;
  for (std::size_t l = 0; l < layers.size(); ++l) sparsities.push_back(static_cast<double>(dropped[l]) / static_cast<double>(elements[l]));
  return sparsities;
}

Policy at_sparsity_step(Policy policy, int step, int steps) {
  const double left = 1 - static_cast<double>(step) / steps;
  for (LayerPolicy& layer : policy.layers) {
    if (layer.pattern != kTwoOfFour) layer.sparsity *= 1 - left * left * left;
  }
  return policy;
}

}  // namespace lathe::policies

#include "experiments/profile/timed_networks.h"

#include <algorithm>

#include "models/fold_batch_norm.h"
#include "policies/architecture.h"
#include "policies/prune.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"

namespace lathe::experiments {
namespace {

using hwmodels::LayerShape;
using models::Attribute;
using models::Network;
using models::Tensor;
using models::ValueId;

// Any range will do; this one has a zero point inside.
constexpr policies::Range kMadeUpRange{-1, 3};

Network quantize(const Network& network, const policies::Policy& policy, policies::IntegerTypes types) {
  const policies::ActivationPlan plan = policies::plan_activations(network, policy);
  const std::vector<policies::Range> ranges(plan.points.size(), kMadeUpRange);
  return policies::lower_to_qdq(policies::insert_fake_quantize(network, policy, plan, ranges, policies::RangeMethod::kMinMax), types);
}

Attribute ints(std::vector<std::int64_t> values) {
  return values;
}

// Deterministic, with both signs, so that no weight range is empty.
Tensor made_up_weights(const models::Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(models::element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(static_cast<int>(i * 37 % 255) - 127) / 127.0F;
  return Tensor::from<float>(shape, values);
}

void add_convolution(const LayerShape& shape, Network& network) {
  const auto padding = [](std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    return std::max<std::int64_t>(0, (out - 1) * stride + kernel - in);
  };
  const std::int64_t rows = padding(shape.in_height, shape.out_height, shape.kernel_height, shape.stride_height);
  const std::int64_t columns = padding(shape.in_width, shape.out_width, shape.kernel_width, shape.stride_width);
  const ValueId input =
      network.add_value({.name = "input", .shape = {models::kDynamic, shape.in_channels, shape.in_height, shape.in_width}});
  const ValueId weight = network.add_constant(
      "weight", made_up_weights({shape.out_channels, shape.in_channels / shape.groups, shape.kernel_height, shape.kernel_width}));
  const ValueId output =
      network.add_value({.name = "output", .shape = {models::kDynamic, shape.out_channels, shape.out_height, shape.out_width}});
  network.nodes.push_back({.name = "layer",
                           .op = "Conv",
                           .inputs = {input, weight},
                           .outputs = {output},
                           .attributes = {{"kernel_shape", ints({shape.kernel_height, shape.kernel_width})},
                                          {"strides", ints({shape.stride_height, shape.stride_width})},
                                          {"pads", ints({rows / 2, columns / 2, rows - rows / 2, columns - columns / 2})},
                                          {"dilations", ints({1, 1})},
                                          {"group", shape.groups}}});
  network.inputs = {input};
  network.outputs = {output};
}

void add_product(const LayerShape& shape, Network& network) {
  const std::int64_t rows = shape.out_height * shape.out_width;
  const auto value_shape = [&](std::int64_t features) {
    return rows == 1 ? models::Shape{models::kDynamic, features} : models::Shape{models::kDynamic, rows, features};
  };
  const ValueId input = network.add_value({.name = "input", .shape = value_shape(shape.in_channels)});
  const ValueId weight = network.add_constant("weight", made_up_weights({shape.in_channels, shape.out_channels}));
  const ValueId output = network.add_value({.name = "output", .shape = value_shape(shape.out_channels)});
  network.nodes.push_back({.name = "layer", .op = "MatMul", .inputs = {input, weight}, .outputs = {output}});
  network.inputs = {input};
  network.outputs = {output};
}

}  // namespace

Network timed_float_network(const Network& network, const policies::Policy& policy) {
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const models::Network pruned = policies::prune(network, analysis, policies::kept_channels(network, analysis, policy));
  return models::fold_batch_norm(policies::with_architecture(pruned, policy));
}

Network timed_network(const Network& network, const policies::Policy& policy, policies::IntegerTypes types) {
  return quantize(timed_float_network(network, policy), policy, types);
}

std::string precision_name(const Network& network, const policies::Policy& policy) {
  const auto has_widths = [](int weight_bits, int activation_bits) {
    return [=](const policies::LayerPolicy& layer) { return layer.weight_bits == weight_bits && layer.activation_bits == activation_bits; };
  };
  if (std::all_of(policy.layers.begin(), policy.layers.end(), has_widths(32, 32))) return "fp32";
  const auto is_layer = [](const models::Node& node) { return node.op == "Conv" || node.op == "Gemm"; };
  const auto layers = static_cast<std::size_t>(std::count_if(network.nodes.begin(), network.nodes.end(), is_layer));
  const bool covers_all = policy.layers.size() >= layers;
  return covers_all && std::all_of(policy.layers.begin(), policy.layers.end(), has_widths(8, 8)) ? "int8" : "mixed";
}

std::vector<LayerShape> layer_shapes(const policies::Workload& workload) {
  using policies::OpKind;
  std::vector<LayerShape> shapes;
  for (const policies::OpWorkload& op : workload.ops) {
    const bool is_convolution = op.kind == OpKind::kConv || op.kind == OpKind::kDepthwiseConv;
    if (op.is_fused || op.weight_elements == 0 || (!is_convolution && op.kind != OpKind::kGemm)) continue;
    LayerShape shape{
        .name = op.name, .is_product = !is_convolution, .batch = op.batch, .in_channels = op.in_channels, .out_channels = op.out_channels};
    shape.kernel_height = op.kernel_height;
    shape.kernel_width = op.kernel_width;
    shape.stride_height = op.stride_height;
    shape.stride_width = op.stride_width;
    shape.groups = op.groups;
    shape.out_height = op.out_height;
    shape.out_width = op.out_width;
    shape.in_height = is_convolution ? op.in_height : op.out_height;
    shape.in_width = is_convolution ? op.in_width : op.out_width;
    const auto is_same = [&](const LayerShape& other) { return other.has_same_shape(shape); };
    if (std::none_of(shapes.begin(), shapes.end(), is_same)) shapes.push_back(std::move(shape));
  }
  return shapes;
}

Network layer_network(const LayerShape& shape, int bits) {
  Network network;
  network.name = shape.name;
  if (shape.is_product)
    add_product(shape, network);
  else
    add_convolution(shape, network);
  if (bits == 32) return network;
  policies::Policy policy;
  policy.layers.push_back(
      {.name = "layer", .weight_bits = bits, .weight_format = "int", .activation_bits = bits, .activation_format = "int"});
  return quantize(network, policy, policies::IntegerTypes::kInt8);
}

}  // namespace lathe::experiments

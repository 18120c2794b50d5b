#include "policies/workload_tables.h"

#include <algorithm>
#include <set>

#include "models/batch_shapes.h"
#include "models/operators.h"
#include "policies/fusion.h"
#include "policies/low_rank.h"
#include "policies/operator_classes.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

// A convolution's extent along the axes of space folded to two: the last is the width, all before it the height.
struct Plane {
  std::int64_t height = 1, width = 1;
};
Plane fold(const std::vector<std::int64_t>& extents) {
  Plane plane;
  if (extents.empty()) return plane;
  if (extents.size() == 1) return {extents[0], 1};
  plane.width = extents.back();
  for (std::size_t i = 0; i + 1 < extents.size(); ++i) plane.height *= extents[i];
  return plane;
}

// The same for [N, C, spatial...].
Plane plane_of(const models::Shape& shape) {
  if (shape.size() < 3) return {};
  return fold({shape.begin() + 2, shape.end()});
}

OpKind kind_of(const Network& network, const Node& node) {
  if (node.op == "Conv" && node.domain.empty()) {
    const models::Shape& weight = network.value(node.inputs[1]).shape;
    const bool is_depthwise = weight[1] == 1 && models::int_attribute(node, "group", 1) > 1;
    return is_depthwise ? OpKind::kDepthwiseConv : OpKind::kConv;
  }
  if (node.op == "ConvTranspose" && node.domain.empty()) return OpKind::kConvTranspose;
  if (is_product(node)) return models::weight_input(network, node) >= 0 || node.op == "Gemm" ? OpKind::kGemm : OpKind::kMatMul;
  if (is_pool(node)) return OpKind::kPool;
  if (is_reduction(node) || is_token_scores(node)) return OpKind::kReduction;
  return is_pointwise(node) ? OpKind::kElementwise : OpKind::kDataMovement;
}

class OpMaker {
 public:
  OpMaker(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch, const std::vector<int>& factorable,
          const std::vector<ResidualBlock>& blocks)
      : network_(network),
        batch_(batch),
        factorable_(factorable.begin(), factorable.end()),
        sizes_(network, analysis, batch),
        readings_(network, blocks),
        fusion_(fuse(network)),
        consumers_(models::consumers(network)),
        is_static_(static_values(network)),
        drops_(sizes_.token_drops()) {}

  std::vector<OpTemplate> run() const {
    std::vector<OpTemplate> ops;
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const Node& node = network_.nodes[static_cast<std::size_t>(n)];
      const bool is_static = std::all_of(node.outputs.begin(), node.outputs.end(),
                                         [&](ValueId id) { return id == models::kNoValue || is_static_[static_cast<std::size_t>(id)]; });
      if (is_static) continue;
      ops.push_back(make(n, node));
      if (!factorable_.contains(n)) continue;
      ops.back().factor = FactorRole::kSecond;
      ops.insert(ops.end() - 1, first_factor(ops.back()));
    }
    return ops;
  }

 private:
  OpTemplate make(int n, const Node& node) const {
    OpTemplate op;
    op.fixed.node = n;
    op.fixed.name = node.name;
    op.fixed.kind = kind_of(network_, node);
    op.fixed.is_fused = fusion_.root[static_cast<std::size_t>(n)] != n;
    const ValueId output = node.outputs.front();
    const bool has_batch = std::count(network_.value(output).shape.begin(), network_.value(output).shape.end(), models::kDynamic) > 0;
    op.fixed.batch = has_batch ? batch_ : 1;
    const int weight = models::weight_input(network_, node);
    op.is_layer = weight >= 0;
    const std::vector<ValueId> inputs = computed_inputs(node, is_static_);
    for (const ValueId input : inputs) op.inputs.push_back(sizes_.elements(input));
    const std::vector<ValueId> outputs = op.fixed.is_fused ? node.outputs : results(n);
    for (const ValueId id : outputs) {
      if (id != models::kNoValue) op.outputs.push_back(sizes_.elements(id));
    }
    if (const auto drop = drops_.find(n); drop != drops_.end()) op.drop = drop->second;
    op.input_reading = readings_.of(inputs);
    op.output_reading = readings_.of(outputs);
    add_constants(node, weight, op);
    if (is_product(node)) {
      add_product(node, weight, op);
    } else {
      add_planes(node, inputs.front(), op);
    }
    return op;
  }

  // What it reads is what the layer reads, what it leaves is read by the layer alone; the bias stays with the layer.
  static OpTemplate first_factor(OpTemplate op) {
    op.factor = FactorRole::kFirst;
    op.fixed.name = first_factor_name(op.fixed.name);
    op.tables.clear();
    op.output_reading = {.readers = {{.node = op.fixed.node}}};
    return op;
  }

  // What the operator and those that ride on it leave for others to read.
  std::vector<ValueId> results(int root) const {
    std::vector<ValueId> left;
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      if (fusion_.root[n] != root) continue;
      for (const ValueId id : network_.nodes[n].outputs) {
        if (id != models::kNoValue && is_result(id, root)) left.push_back(id);
      }
    }
    return left;
  }

  bool is_result(ValueId id, int root) const {
    if (std::find(network_.outputs.begin(), network_.outputs.end(), id) != network_.outputs.end()) return true;
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    return readers.empty() ||
           std::any_of(readers.begin(), readers.end(), [&](int reader) { return fusion_.root[static_cast<std::size_t>(reader)] != root; });
  }

  void add_constants(const Node& node, int weight, OpTemplate& op) const {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto constant = network_.constants.find(node.inputs[i]);
      if (constant == network_.constants.end() || constant->second.type() != models::DataType::kFloat32) continue;
      if (static_cast<int>(i) == weight) {
        op.weight_elements = sizes_.elements(node.inputs[i]);
        op.fixed.weight_elements = constant->second.size();
      } else {
        op.tables.push_back(sizes_.elements(node.inputs[i]));
      }
    }
  }

  void add_product(const Node& node, int weight, OpTemplate& op) const {
    op.has_macs = true;
    if (op.fixed.kind == OpKind::kGemm || op.fixed.kind == OpKind::kMatMul) {
      add_matrix_product(node, weight, op);
      return;
    }
    op.in_channels = sizes_.extent(node.inputs[0], 1);
    op.out_channels = sizes_.extent(node.outputs[0], 1);
    op.weight_axis = sizes_.extent(node.inputs[1], 1);
    const models::ConvAttributes attributes = models::conv_attributes(network_, node);
    const Plane kernel = fold(attributes.kernel), stride = fold(attributes.strides);
    op.fixed.kernel_height = kernel.height;
    op.fixed.kernel_width = kernel.width;
    op.fixed.stride_height = stride.height;
    op.fixed.stride_width = stride.width;
    set_planes(node.inputs[0], node.outputs[0], op);
  }

  // A [..., M, K] times B [..., K, N]. A weight of two dimensions is shared by all matrices of the stack, so the stack only adds rows.
  void add_matrix_product(const Node& node, int weight, OpTemplate& op) const {
    const bool transpose_a = node.op == "Gemm" && models::gemm_attributes(node).transpose_a;
    const std::size_t a_rank = sizes_.shape(node.inputs[0]).size(), b_rank = sizes_.shape(node.inputs[1]).size();
    const std::size_t y_rank = sizes_.shape(node.outputs[0]).size();
    op.in_channels = a_rank == 0 ? Extent(1) : sizes_.extent(node.inputs[0], transpose_a ? 0 : a_rank - 1);
    // Axes of the result: rows come from A, columns from B; a one-dimensional operand leaves its axis out.
    const bool has_rows = a_rank >= 2, has_columns = b_rank >= 2;
    const std::size_t column = y_rank - 1, row = has_columns ? y_rank - 2 : y_rank - 1;
    const std::size_t stack_rank = y_rank - (has_rows ? 1 : 0) - (has_columns ? 1 : 0);
    const bool weight_is_first = weight == 0;
    Extent rows = has_rows ? sizes_.extent(node.outputs[0], row) : Extent(1);
    Extent columns = has_columns ? sizes_.extent(node.outputs[0], column) : Extent(1);
    if (weight_is_first) std::swap(rows, columns);
    op.out_channels = columns;
    op.positions.multiply(rows);
    bool batch_is_in_stack = false;
    const bool shares_weight = weight >= 0 && sizes_.shape(node.inputs[static_cast<std::size_t>(weight)]).size() == 2;
    for (std::size_t axis = 0; axis < stack_rank; ++axis) {
      (shares_weight ? op.positions : op.stack).multiply(sizes_.extent(node.outputs[0], axis));
      if (!shares_weight && network_.value(node.outputs[0]).shape[axis] == models::kDynamic) batch_is_in_stack = true;
    }
    // So far rows or stack hold the whole batch; they are to be those of one sample.
    if (!(batch_is_in_stack ? op.stack : op.positions).divide(op.fixed.batch)) op.fixed.batch = 1;
  }

  void add_planes(const Node& node, ValueId input, OpTemplate& op) const {
    if (sizes_.shape(input).size() > 1) op.in_channels = sizes_.extent(input, 1);
    if (sizes_.shape(node.outputs.front()).size() > 1) op.out_channels = sizes_.extent(node.outputs.front(), 1);
    set_planes(input, node.outputs.front(), op);
    if (!is_pool(node)) return;
    const bool is_global = node.op.starts_with("Global");
    const models::PoolAttributes window = is_global ? models::PoolAttributes{} : models::pool_attributes(network_, node);
    const Plane kernel = is_global ? plane_of(sizes_.shape(input)) : fold(window.kernel);
    const Plane stride = is_global ? Plane{} : fold(window.strides);
    op.fixed.kernel_height = kernel.height;
    op.fixed.kernel_width = kernel.width;
    op.fixed.stride_height = stride.height;
    op.fixed.stride_width = stride.width;
  }

  void set_planes(ValueId input, ValueId output, OpTemplate& op) const {
    add_plane(input, op.in_height, op.in_width);
    add_plane(output, op.out_height, op.out_width);
  }

  // Axes of [N, C, spatial...]: the last is the width, all before it the height; a single one is the height.
  void add_plane(ValueId id, Size& height, Size& width) const {
    const std::size_t rank = sizes_.shape(id).size();
    for (std::size_t axis = 2; axis < rank; ++axis) (axis == 2 || axis + 1 < rank ? height : width).multiply(sizes_.extent(id, axis));
  }

  const Network& network_;
  std::int64_t batch_;
  std::set<int> factorable_;
  SizeTable sizes_;
  ReadingTable readings_;
  Fusion fusion_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_static_;
  std::map<int, TokenDrop> drops_;
};

}  // namespace

SizeTable::SizeTable(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch)
    : network_(network), analysis_(analysis), shapes_(models::shapes_at_batch(network, batch)) {
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
}

Extent SizeTable::extent(ValueId id, std::size_t axis) const {
  const models::Shape& shape = shapes_[static_cast<std::size_t>(id)];
  if (axis >= shape.size()) return Extent(1);
  const AxisExpression& expression = analysis_.axes[static_cast<std::size_t>(id)].at(axis);
  if (network_.value(id).shape[axis] != models::kDynamic) return Extent(expression);
  // Batch times a dimension (heads folded into the batch): what the dimensions do not explain is the batch.
  Segment segment = expression.size() == 1 ? expression.front() : Segment{};
  std::erase_if(segment, [](const Factor& factor) { return factor.group < 0; });
  std::int64_t known = 1;
  for (const Factor& factor : segment) known *= factor.size;
  if (shape[axis] % known != 0) return Extent(shape[axis]);
  segment.push_back({.group = -1, .size = shape[axis] / known});
  return Extent(AxisExpression{segment});
}

std::map<int, TokenDrop> SizeTable::token_drops() const {
  const std::vector<int> producers = models::producers(network_);
  std::map<int, TokenDrop> drops;
  for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
    const Node& node = network_.nodes[n];
    if (!is_select_tokens(node)) continue;
    const TokenDrop drop{.before = extent(node.inputs[1], 3), .after = extent(node.outputs[0], 1)};
    drops[static_cast<int>(n)] = drop;
    drops[producers[static_cast<std::size_t>(node.inputs[1])]] = drop;
  }
  return drops;
}

Size SizeTable::elements(ValueId id) const {
  Size size;
  for (std::size_t axis = 0; axis < shapes_[static_cast<std::size_t>(id)].size(); ++axis) size.multiply(extent(id, axis));
  return size;
}

std::vector<OpTemplate> make_op_templates(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                          const std::vector<int>& factorable, const std::vector<ResidualBlock>& blocks) {
  return OpMaker(network, analysis, batch, factorable, blocks).run();
}

}  // namespace lathe::policies

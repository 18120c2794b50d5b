#include "policies/workload.h"

#include <algorithm>
#include <set>

#include "policies/weight_sparsity.h"
#include "policies/workload_tables.h"

namespace lathe::policies {
namespace {

using Bits = WorkloadBuilder::Bits;
using Counts = std::vector<std::int64_t>;

std::int64_t sum(const std::vector<Size>& sizes, const Counts& counts) {
  std::int64_t total = 0;
  for (const Size& size : sizes) total += size(counts);
  return total;
}

OpWorkload evaluate(const OpTemplate& op, const Counts& counts, const std::vector<Bits>& bits) {
  OpWorkload work = op.fixed;
  work.weight_elements = op.fixed.weight_elements == 0 ? 0 : op.weight_elements(counts);
  work.table_elements = sum(op.tables, counts);
  work.input_elements = sum(op.inputs, counts);
  work.output_elements = sum(op.outputs, counts);
  work.input_bits = op.is_layer ? bits[static_cast<std::size_t>(work.node)].activation : op.input_reading.bits(bits);
  work.output_bits = op.output_reading.bits(bits);
  if (op.is_layer) {
    work.weight_bits = bits[static_cast<std::size_t>(work.node)].weight;
    work.sparsity = bits[static_cast<std::size_t>(work.node)].sparsity;
  }
  work.in_channels = op.in_channels(counts);
  work.out_channels = op.out_channels(counts);
  work.in_height = op.in_height(counts);
  work.in_width = op.in_width(counts);
  work.out_height = op.out_height(counts);
  work.out_width = op.out_width(counts);
  if (op.drop && !op.drop->drops(counts)) {
    work.is_fused = true;
    work.input_elements = work.output_elements = 0;
  }
  if (!op.has_macs) return work;
  switch (work.kind) {
    case OpKind::kGemm:
    case OpKind::kMatMul:
      work.groups = op.stack(counts);
      work.in_channels *= work.groups;
      work.out_channels *= work.groups;
      work.out_height = work.in_height = op.positions(counts);
      break;
    case OpKind::kConvTranspose:
      work.groups = work.out_channels / std::max<std::int64_t>(1, op.weight_axis(counts));
      break;
    default:
      work.groups = work.in_channels / std::max<std::int64_t>(1, op.weight_axis(counts));
  }
  const bool is_transposed = work.kind == OpKind::kConvTranspose;
  const std::int64_t positions = is_transposed ? work.in_height * work.in_width : work.out_height * work.out_width;
  const std::int64_t kernel = work.kernel_height * work.kernel_width;
  work.macs = work.batch * positions * kernel * (work.in_channels / std::max<std::int64_t>(1, work.groups)) * work.out_channels;
  return work;
}

void add_nodes(const Reading& reading, std::set<int>& nodes) {
  nodes.insert(reading.nodes.begin(), reading.nodes.end());
  nodes.insert(reading.behind.begin(), reading.behind.end());
}

void add_groups(const TokenDrop& drop, std::set<int>& groups) {
  drop.before.add_groups(groups);
  drop.after.add_groups(groups);
}

}  // namespace

const char* to_string(OpKind kind) {
  switch (kind) {
    case OpKind::kConv:
      return "conv";
    case OpKind::kDepthwiseConv:
      return "depthwise_conv";
    case OpKind::kConvTranspose:
      return "conv_transpose";
    case OpKind::kGemm:
      return "gemm";
    case OpKind::kMatMul:
      return "matmul";
    case OpKind::kPool:
      return "pool";
    case OpKind::kElementwise:
      return "elementwise";
    case OpKind::kReduction:
      return "reduction";
    case OpKind::kDataMovement:
      return "data_movement";
  }
  return "unknown";
}

int Reading::bits(const std::vector<Bits>& bits) const {
  int widest = floor;
  for (const int node : nodes) widest = std::max(widest, bits[static_cast<std::size_t>(node)].activation);
  for (const int node : behind) widest = std::max({widest, 8, bits[static_cast<std::size_t>(node)].activation});
  return widest;
}

WorkloadBuilder::WorkloadBuilder(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch) {
  LATHE_CHECK_GE(batch, 1);
  auto tables = std::make_shared<Tables>();
  tables->ops = make_op_templates(network, analysis, batch);
  tables->values = make_live_templates(network, analysis, batch, tables->ops);
  for (const CouplingGroup& group : analysis.groups) tables->full_counts.push_back(group.channels);
  tables->token_groups = policies::token_groups(analysis);
  tables->node_count = static_cast<int>(network.nodes.size());
  tables_ = std::move(tables);
}

int WorkloadBuilder::op_count() const {
  return static_cast<int>(tables_->ops.size());
}
int WorkloadBuilder::value_count() const {
  return static_cast<int>(tables_->values.size());
}
int WorkloadBuilder::node_count() const {
  return tables_->node_count;
}
Counts WorkloadBuilder::full_counts() const {
  return tables_->full_counts;
}

const std::vector<int>& WorkloadBuilder::token_groups() const {
  return tables_->token_groups;
}
bool WorkloadBuilder::is_always_fused(int op) const {
  return tables_->ops[static_cast<std::size_t>(op)].fixed.is_fused;
}

OpWorkload WorkloadBuilder::build_op(int op, const Counts& kept_counts, const std::vector<Bits>& bits) const {
  Counts counts = kept_counts;
  limit_tokens(tables_->token_groups, counts);
  return evaluate(tables_->ops[static_cast<std::size_t>(op)], counts, bits);
}

LiveValue WorkloadBuilder::build_value(int value, const Counts& kept_counts, const std::vector<Bits>& bits) const {
  const LiveTemplate& live = tables_->values[static_cast<std::size_t>(value)];
  Counts counts = kept_counts;
  limit_tokens(tables_->token_groups, counts);
  const bool is_there = !live.only_for || live.only_for->drops(counts);
  return {.first = live.first,
          .last = live.last,
          .elements = is_there ? live.elements(counts) : 0,
          .bits = live.reading.bits(bits),
          .reuses = live.reuses};
}

Workload WorkloadBuilder::build(const Counts& kept_counts, const std::vector<Bits>& bits) const {
  Workload workload;
  workload.ops.reserve(tables_->ops.size());
  for (int op = 0; op < op_count(); ++op) workload.ops.push_back(build_op(op, kept_counts, bits));
  workload.values.reserve(tables_->values.size());
  for (int value = 0; value < value_count(); ++value) workload.values.push_back(build_value(value, kept_counts, bits));
  return workload;
}

WorkloadBuilder::Dependencies WorkloadBuilder::dependencies(int index) const {
  const OpTemplate& op = tables_->ops[static_cast<std::size_t>(index)];
  std::set<int> groups, nodes;
  for (const Extent* extent : {&op.in_channels, &op.out_channels, &op.weight_axis}) extent->add_groups(groups);
  for (const Size* size : {&op.stack, &op.positions, &op.weight_elements, &op.in_height, &op.in_width, &op.out_height, &op.out_width})
    size->add_groups(groups);
  for (const std::vector<Size>* sizes : {&op.tables, &op.inputs, &op.outputs}) {
    for (const Size& size : *sizes) size.add_groups(groups);
  }
  if (op.is_layer) {
    nodes.insert(op.fixed.node);
  } else {
    add_nodes(op.input_reading, nodes);
  }
  add_nodes(op.output_reading, nodes);
  if (op.drop) add_groups(*op.drop, groups);
  return {{groups.begin(), groups.end()}, {nodes.begin(), nodes.end()}};
}

WorkloadBuilder::Dependencies WorkloadBuilder::value_dependencies(int value) const {
  const LiveTemplate& live = tables_->values[static_cast<std::size_t>(value)];
  std::set<int> groups, nodes;
  live.elements.add_groups(groups);
  if (live.only_for) add_groups(*live.only_for, groups);
  add_nodes(live.reading, nodes);
  return {{groups.begin(), groups.end()}, {nodes.begin(), nodes.end()}};
}

WorkloadSetting setting_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate) {
  WorkloadSetting setting{builder.full_counts(), std::vector<Bits>(static_cast<std::size_t>(builder.node_count()))};
  for (const LayerInfo& layer : space.layers) {
    setting.bits[static_cast<std::size_t>(layer.node)] = {.weight = layer.weight_bits, .activation = layer.activation_bits};
  }
  for (std::size_t i = 0; i < space.decisions.size(); ++i) apply_choice(space, static_cast<int>(i), candidate.choices[i], setting);
  return setting;
}

void apply_choice(const SearchSpace& space, int decision_index, int choice, WorkloadSetting& setting) {
  const Decision& decision = space.decisions[static_cast<std::size_t>(decision_index)];
  const auto subject = static_cast<std::size_t>(decision.subject);
  const int value = decision.values[static_cast<std::size_t>(choice)];
  if (decision.kind == DecisionKind::kKeptChannels) {
    setting.kept_counts[static_cast<std::size_t>(space.groups[subject].group)] = value;
    return;
  }
  Bits& bits = setting.bits[static_cast<std::size_t>(space.layers[subject].node)];
  switch (decision.kind) {
    case DecisionKind::kKeptWeights:
      bits.sparsity = {.share = sparsity_of(value), .is_two_of_four = value < kAllWeights && space.sparsity_pattern == kTwoOfFour};
      return;
    case DecisionKind::kWeightBits:
      bits.weight = value;
      if (space.tie_bits) bits.activation = value;
      return;
    default:
      bits.activation = value;
  }
}

std::int64_t kept_weights(const OpWorkload& op) {
  if (!op.sparsity.is_two_of_four) return kept_weights(op.weight_elements, op.sparsity.share);
  return kept_by_pattern(op.weight_elements, std::max<std::int64_t>(1, op.in_channels / std::max<std::int64_t>(1, op.groups)));
}

Workload workload_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate) {
  const WorkloadSetting setting = setting_of(builder, space, candidate);
  return builder.build(setting.kept_counts, setting.bits);
}

}  // namespace lathe::policies

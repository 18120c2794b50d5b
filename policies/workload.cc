#include "policies/workload.h"

#include <algorithm>
#include <set>

#include "policies/low_rank.h"
#include "policies/sparse_storage.h"
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

// An operator that the policy takes out: no size, no pass over memory.
OpWorkload absent(const OpTemplate& op) {
  return {.node = op.fixed.node, .name = op.fixed.name, .kind = op.fixed.kind, .is_fused = true, .batch = op.fixed.batch};
}

OpWorkload evaluate_whole(const OpTemplate& op, const Counts& counts, const std::vector<Bits>& bits) {
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

MatrixSize matrix_size(const OpWorkload& layer) {
  const std::int64_t outputs = std::max<std::int64_t>(1, layer.out_channels);
  return {.outputs = outputs, .inputs = layer.weight_elements / outputs};
}

// x -> V x, with the layer's window; see low_rank.h.
OpWorkload first_factor(OpWorkload work, std::int64_t rank, const Bits& bits) {
  const MatrixSize size = matrix_size(work);
  work.macs = work.macs / size.outputs * rank;
  work.weight_elements = rank * size.inputs;
  work.out_channels = rank;
  work.output_elements = work.batch * work.out_height * work.out_width * rank;
  work.output_bits = bits.activation;
  return work;
}

// V x -> U V x, a product at each position.
OpWorkload second_factor(OpWorkload work, std::int64_t rank) {
  const MatrixSize size = matrix_size(work);
  work.macs = work.macs / size.inputs * rank;
  work.weight_elements = size.outputs * rank;
  work.in_channels = rank;
  work.kernel_height = work.kernel_width = work.stride_height = work.stride_width = 1;
  work.in_height = work.out_height;
  work.in_width = work.out_width;
  work.input_elements = work.batch * work.out_height * work.out_width * rank;
  return work;
}

OpWorkload evaluate(const OpTemplate& op, const Counts& counts, const std::vector<Bits>& bits) {
  const Bits& own = bits[static_cast<std::size_t>(op.fixed.node)];
  if (own.is_removed) return absent(op);
  const OpWorkload work = evaluate_whole(op, counts, bits);
  if (op.factor == FactorRole::kNone) return work;
  const std::int64_t rank = rank_at(own.rank_ratio, matrix_size(work));
  if (op.factor == FactorRole::kFirst) return rank > 0 ? first_factor(work, rank, own) : absent(op);
  return rank > 0 ? second_factor(work, rank) : work;
}

void add_nodes(const Reading& reading, std::set<int>& nodes) {
  for (const Reader& reader : reading.readers) {
    if (reader.node >= 0) nodes.insert(reader.node);
    if (reader.add >= 0) nodes.insert(reader.add);
    nodes.insert(reader.adds.begin(), reader.adds.end());
  }
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
  const auto is_there = [&](int node) { return !bits[static_cast<std::size_t>(node)].is_removed; };
  int widest = 0;
  for (const Reader& reader : readers) {
    if ((reader.node >= 0 && !is_there(reader.node)) || (reader.add >= 0 && !is_there(reader.add))) continue;
    const auto between = (reader.is_behind ? 1 : 0) + std::count_if(reader.adds.begin(), reader.adds.end(), is_there);
    if (between > 1) continue;
    const int wanted = reader.node >= 0 ? bits[static_cast<std::size_t>(reader.node)].activation : reader.floor;
    widest = std::max(widest, between == 1 ? std::max(8, wanted) : wanted);
  }
  return widest;
}

WorkloadBuilder::WorkloadBuilder(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                 const std::vector<int>& factorable) {
  LATHE_CHECK_GE(batch, 1);
  auto tables = std::make_shared<Tables>();
  const std::vector<ResidualBlock> blocks = find_residual_blocks(network);
  tables->batch = batch;
  tables->ops = make_op_templates(network, analysis, batch, factorable, blocks);
  tables->values = make_live_templates(network, analysis, batch, tables->ops, blocks);
  tables->is_in_block.assign(network.nodes.size(), false);
  for (const ResidualBlock& block : blocks) {
    tables->is_in_block[static_cast<std::size_t>(block.add)] = true;
    for (const int node : block.nodes) tables->is_in_block[static_cast<std::size_t>(node)] = true;
  }
  for (std::size_t op = 0; op < tables->ops.size(); ++op) {
    if (tables->ops[op].factor == FactorRole::kSecond) tables->whole[tables->ops[op].fixed.node] = static_cast<int>(op);
  }
  for (const CouplingGroup& group : analysis.groups) tables->full_counts.push_back(group.channels);
  tables->token_groups = policies::token_groups(analysis);
  tables->scores_of_tokens = scores_of_tokens(network, analysis);
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
int WorkloadBuilder::token_scores_of(int group) const {
  const auto found = tables_->scores_of_tokens.find(group);
  return found == tables_->scores_of_tokens.end() ? -1 : found->second;
}
std::int64_t WorkloadBuilder::batch() const {
  return tables_->batch;
}
bool WorkloadBuilder::can_factor(int node) const {
  return tables_->whole.contains(node);
}
int WorkloadBuilder::layer_of(int op) const {
  const OpTemplate& of = tables_->ops[static_cast<std::size_t>(op)];
  return of.is_layer && of.fixed.weight_elements > 0 ? of.fixed.node : -1;
}
bool WorkloadBuilder::is_standalone(int op) const {
  return !tables_->ops[static_cast<std::size_t>(op)].fixed.is_fused;
}

std::int64_t WorkloadBuilder::rank_of(int node, const Counts& kept_counts, const std::vector<Bits>& bits) const {
  const OpTemplate& whole = tables_->ops[static_cast<std::size_t>(tables_->whole.at(node))];
  const std::int64_t outputs = std::max<std::int64_t>(1, whole.out_channels(kept_counts));
  return rank_at(bits[static_cast<std::size_t>(node)].rank_ratio,
                 {.outputs = outputs, .inputs = whole.weight_elements(kept_counts) / outputs});
}

Counts WorkloadBuilder::counts_of(const Counts& kept_counts, const std::vector<Bits>& bits) const {
  Counts counts = kept_counts;
  for (const auto& [group, scores] : tables_->scores_of_tokens) {
    const auto g = static_cast<std::size_t>(group);
    if (bits[static_cast<std::size_t>(scores)].is_removed) counts[g] = tables_->full_counts[g];
  }
  limit_tokens(tables_->token_groups, counts);
  return counts;
}

OpWorkload WorkloadBuilder::build_op(int op, const Counts& kept_counts, const std::vector<Bits>& bits) const {
  return evaluate(tables_->ops[static_cast<std::size_t>(op)], counts_of(kept_counts, bits), bits);
}

LiveValue WorkloadBuilder::build_value(int value, const Counts& kept_counts, const std::vector<Bits>& bits) const {
  const LiveTemplate& live = tables_->values[static_cast<std::size_t>(value)];
  const Counts counts = counts_of(kept_counts, bits);
  std::int64_t elements = live.elements(counts);
  if (live.unfactored >= 0 && rank_of(live.unfactored, counts, bits) > 0) elements = 0;
  if (live.between >= 0) {
    const OpTemplate& whole = tables_->ops[static_cast<std::size_t>(tables_->whole.at(live.between))];
    elements = elements / std::max<std::int64_t>(1, whole.out_channels(counts)) * rank_of(live.between, counts, bits);
  }
  if (live.part_of >= 0 && bits[static_cast<std::size_t>(live.part_of)].is_removed) elements = 0;
  if (live.only_for && !live.only_for->drops(counts)) elements = 0;
  return {.first = live.first, .last = live.last, .elements = elements, .bits = live.reading.bits(bits), .reuses = live.reuses};
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
  Dependencies dependencies{{groups.begin(), groups.end()}, {nodes.begin(), nodes.end()}};
  if (tables_->is_in_block[static_cast<std::size_t>(op.fixed.node)]) dependencies.parts = {op.fixed.node};
  if (op.factor != FactorRole::kNone) dependencies.ranks = {op.fixed.node};
  return dependencies;
}

WorkloadBuilder::Dependencies WorkloadBuilder::value_dependencies(int value) const {
  const LiveTemplate& live = tables_->values[static_cast<std::size_t>(value)];
  std::set<int> groups, nodes;
  live.elements.add_groups(groups);
  if (live.only_for) add_groups(*live.only_for, groups);
  add_nodes(live.reading, nodes);
  Dependencies dependencies{.nodes = {nodes.begin(), nodes.end()}};
  if (live.part_of >= 0) dependencies.parts = {live.part_of};
  for (const int node : {live.unfactored, live.between}) {
    if (node < 0) continue;
    dependencies.ranks = {node};
    const OpTemplate& whole = tables_->ops[static_cast<std::size_t>(tables_->whole.at(node))];
    whole.out_channels.add_groups(groups);
    whole.weight_elements.add_groups(groups);
  }
  dependencies.groups = {groups.begin(), groups.end()};
  return dependencies;
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
  if (decision.kind == DecisionKind::kKeptBlock) {
    for (const int node : space.blocks[subject].nodes) setting.bits[static_cast<std::size_t>(node)].is_removed = value == 0;
    return;
  }
  Bits& bits = setting.bits[static_cast<std::size_t>(space.layers[subject].node)];
  switch (decision.kind) {
    case DecisionKind::kRank:
      bits.rank_ratio = rank_ratio_of(value);
      return;
    case DecisionKind::kKeptWeights:
      bits.sparsity = {.share = sparsity_of(value),
                       .is_two_of_four = value < kAllWeights && space.sparsity_pattern == kTwoOfFour,
                       .is_blocked = value < kAllWeights && space.sparsity_pattern == kBlocksOfFour};
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

std::int64_t stored_weight_bytes(const OpWorkload& op) {
  if (!op.sparsity.is_blocked) return stored_bytes(op.weight_elements, kept_weights(op), op.weight_bits);
  const std::int64_t outputs = op.kind == OpKind::kConvTranspose ? op.out_channels / op.groups : op.out_channels;
  const WeightUnits units =
      weight_units(op.weight_elements, op.in_channels, outputs, {.sparsity = op.sparsity.share, .pattern = kBlocksOfFour});
  return stored_bytes(units.count, units.kept, static_cast<int>(units.size) * op.weight_bits);
}

Workload workload_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate) {
  const WorkloadSetting setting = setting_of(builder, space, candidate);
  return builder.build(setting.kept_counts, setting.bits);
}

}  // namespace lathe::policies

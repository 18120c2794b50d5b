// Where activations are quantized. Each operator *demands* a width of what it reads: a layer its activation width, an operator that only
// copies elements the width that is demanded of its result, an Add between quantized layers 8 bits, all others floats (32). Demands are
// found from the outputs backwards; a value gets one point for each width that is demanded of it.
#include <algorithm>
#include <map>

#include "models/operators.h"
#include "policies/layer_policies.h"
#include "policies/operator_classes.h"
#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr int kFloat = 32;

class Planner {
 public:
  Planner(const Network& network, const Policy& policy)
      : network_(network),
        layers_(layer_policies(network, policy)),
        consumers_(models::consumers(network)),
        is_static_(static_values(network)),
        is_output_(network.values.size(), false),
        demand_(network.nodes.size(), kFloat) {
    for (const ValueId output : network.outputs) is_output_[index(output)] = true;
    find_integer_values();
    for (int n = static_cast<int>(network.nodes.size()) - 1; n >= 0; --n) demand_[index(n)] = demand_of(n);
  }

  ActivationPlan plan() const {
    ActivationPlan plan;
    const std::vector<int> producers = models::producers(network_);
    for (const ValueId input : network_.inputs) add_points(input, plan);
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const Node& node = network_.nodes[n];
      // Copies of what is quantized are quantized.
      if (copies_elements(network_, node) && demand_[n] != kFloat) continue;
      for (const ValueId output : node.outputs) {
        if (output != models::kNoValue) add_points(output, plan);
      }
    }
    return plan;
  }

 private:
  static std::size_t index(int id) { return static_cast<std::size_t>(id); }

  // Values that runtimes can hold as integers when they are asked to: results of quantized layers, and what pointwise operators, copies,
  // poolings and concatenations make of them alone.
  void find_integer_values() {
    is_integer_.assign(network_.values.size(), false);
    for (const ValueId input : network_.inputs) is_integer_[index(input)] = true;
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const Node& node = network_.nodes[n];
      bool is_integer = false;
      if (is_product(node)) {
        is_integer = integer_weight_bits(layers_[n]) <= 8 && calibrated_bits(layers_[n]) <= 8;
      } else if (is_pointwise(node) || is_pool(node) || copies_elements(network_, node) || node.op == "Concat") {
        const std::vector<ValueId> inputs = computed_inputs(node, is_static_);
        is_integer = std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) { return is_integer_[index(id)]; });
      }
      for (const ValueId output : node.outputs) {
        if (output != models::kNoValue) is_integer_[index(output)] = is_integer;
      }
    }
  }

  int demand_of(int n) const {
    const Node& node = network_.nodes[index(n)];
    const int weight = models::weight_input(network_, node);
    if (weight >= 0) return calibrated_bits(layers_[index(n)]);
    if (copies_elements(network_, node)) return demand_of_copies(node);
    const std::vector<ValueId> inputs = computed_inputs(node, is_static_);
    const bool is_addition = node.op == "Add" && inputs.size() == 2;
    const bool is_average = node.op == "AveragePool" || node.op == "GlobalAveragePool";
    if (!is_addition && !is_average && node.op != "Concat") return kFloat;
    const bool all_integer = std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) { return is_integer_[index(id)]; });
    return all_integer && is_read_as_integers(node.outputs.front()) ? 8 : kFloat;
  }

  // Width of the activations that a layer reads in a range that is known beforehand.
  static int calibrated_bits(const LayerPolicy* layer) { return has_dynamic_activations(layer) ? kFloat : integer_activation_bits(layer); }

  // The one width that is demanded of all results; else the results get points of their own.
  int demand_of_copies(const Node& node) const {
    int width = 0;
    for (const ValueId output : node.outputs) {
      if (output == models::kNoValue) continue;
      if (is_output_[index(output)]) return kFloat;
      for (const int reader : consumers_[index(output)]) {
        const int demand = demand_at(reader, output);
        if (width != 0 && demand != width) return kFloat;
        width = demand;
      }
    }
    return width == 0 ? kFloat : width;
  }

  // Whether all readers, behind an activation that runtimes fuse, want at most 8 bits.
  bool is_read_as_integers(ValueId id) const {
    const std::vector<int>& readers = consumers_[index(id)];
    if (is_output_[index(id)] || readers.empty()) return false;
    if (readers.size() == 1) {
      const Node& reader = network_.nodes[index(readers.front())];
      if (reader.op == "Relu" || reader.op == "Clip") return is_read_as_integers(reader.outputs.front());
    }
    return std::all_of(readers.begin(), readers.end(), [&](int reader) { return demand_at(reader, id) <= 8; });
  }

  // Whether a layer reads the value as its data, not as a computed weight, bias or shape.
  static bool reads_as_data(const Node& layer, int weight, ValueId id) { return layer.inputs[weight == 0 ? 1 : 0] == id; }

  // What node `reader` demands of the value `id`.
  int demand_at(int reader, ValueId id) const {
    const Node& node = network_.nodes[index(reader)];
    const int weight = models::weight_input(network_, node);
    if (weight >= 0) return reads_as_data(node, weight, id) ? demand_[index(reader)] : kFloat;
    if (copies_elements(network_, node)) return node.inputs.front() == id ? demand_[index(reader)] : kFloat;
    return demand_[index(reader)];
  }

  void add_points(ValueId id, ActivationPlan& plan) const {
    if (is_static_[index(id)] || network_.value(id).type != models::DataType::kFloat32) return;
    std::map<int, std::vector<int>> readers_of_width;
    std::vector<int> dynamic_readers;
    for (const int reader : consumers_[index(id)]) {
      const Node& node = network_.nodes[index(reader)];
      if (has_dynamic_activations(layers_[index(reader)]) && reads_as_data(node, models::weight_input(network_, node), id))
        dynamic_readers.push_back(reader);
      const int demand = demand_at(reader, id);
      if (demand != kFloat) readers_of_width[demand].push_back(reader);
    }
    for (auto& [bits, readers] : readers_of_width) plan.points.push_back({.value = id, .bits = bits, .readers = std::move(readers)});
    if (!dynamic_readers.empty())
      plan.points.push_back({.value = id, .bits = kDynamicBits, .readers = std::move(dynamic_readers), .is_dynamic = true});
  }

  const Network& network_;
  std::vector<const LayerPolicy*> layers_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_static_, is_output_, is_integer_;
  std::vector<int> demand_;
};

}  // namespace

ActivationPlan plan_activations(const Network& network, const Policy& policy) {
  return Planner(network, policy).plan();
}

}  // namespace lathe::policies

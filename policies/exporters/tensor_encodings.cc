#include "policies/exporters/tensor_encodings.h"

#include <algorithm>
#include <map>

#include "policies/fresh_names.h"
#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr int kByteBits = 8;

class Splitter {
 public:
  explicit Splitter(const Network& simulated)
      : source_(simulated),
        readers_(models::consumers(simulated)),
        producers_(models::producers(simulated)),
        names_(simulated),
        split_{.network = simulated, .encodings = {}} {
    split_.network.nodes.clear();
  }

  EncodedNetwork run() && {
    for (const Node& node : source_.nodes) {
      Node copy = node;
      for (ValueId& input : copy.inputs) {
        if (const auto found = replaced_.find(input); found != replaced_.end()) input = found->second;
      }
      if (node.op == "FakeQuantize" && node.domain == models::kLatheDomain)
        take_out(node, copy.inputs[0]);
      else
        split_.network.nodes.push_back(std::move(copy));
    }
    split_.network = models::without_dead_nodes(std::move(split_.network));
    return std::move(split_);
  }

 private:
  bool is_read_elsewhere(ValueId id) const {
    const auto& outputs = source_.outputs;
    return readers_[static_cast<std::size_t>(id)].size() > 1 || std::find(outputs.begin(), outputs.end(), id) != outputs.end();
  }

  void take_out(const Node& quantizer, ValueId value) {
    const ValueId given = quantizer.inputs[0];
    const bool is_weight = source_.is_constant(given);
    ValueId encoded = value;
    std::string maker;
    if (!is_weight && is_read_elsewhere(given)) {
      encoded = quantizer.outputs[0];
      maker = names_.next();
      split_.network.nodes.push_back(
          {.name = maker, .op = "Identity", .domain = "", .inputs = {value}, .outputs = {encoded}, .attributes = {}});
    } else {
      replaced_[quantizer.outputs[0]] = value;
      const int producer = producers_[static_cast<std::size_t>(given)];
      if (producer >= 0) maker = source_.nodes[static_cast<std::size_t>(producer)].name;
    }
    split_.encodings.push_back({.tensor = source_.value(encoded).name,
                                .node = maker,
                                .bits = static_cast<int>(models::int_attribute(quantizer, "bits", kByteBits)),
                                .is_weight = is_weight,
                                .axis = models::int_attribute(quantizer, "axis", -1),
                                .parameters = parameters_of(source_, quantizer)});
  }

  const Network& source_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> producers_;
  FreshNames names_;
  std::map<ValueId, ValueId> replaced_;  // quantized value -> the float one that stands for it
  EncodedNetwork split_;
};

}  // namespace

EncodedNetwork split_encodings(const Network& simulated) {
  return Splitter(simulated).run();
}

}  // namespace lathe::policies

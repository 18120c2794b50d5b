#include "models/network.h"

#include <algorithm>
#include <set>
#include <utility>

namespace lathe::models {
namespace {

template <typename T>
const T* find_attribute(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return nullptr;
  const T* value = std::get_if<T>(&found->second);
  LATHE_CHECK(value != nullptr) << "attribute " << name << " of " << node.name << " has another type";
  return value;
}

bool in_range(const Network& network, ValueId id) {
  return id >= 0 && id < static_cast<ValueId>(network.values.size());
}

}  // namespace

ValueId Network::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Network::add_constant(std::string name, Tensor tensor) {
  const auto is_taken = [this](const std::string& candidate) {
    return std::any_of(values.begin(), values.end(), [&](const Value& value) { return value.name == candidate; });
  };
  std::string unique = name;
  for (int suffix = 1; is_taken(unique); ++suffix) unique = name + "_" + std::to_string(suffix);
  const ValueId id = add_value({std::move(unique), tensor.type(), tensor.shape()});
  constants.emplace(id, std::move(tensor));
  return id;
}

std::int64_t int_attribute(const Node& node, const std::string& name, std::int64_t otherwise) {
  const auto* value = find_attribute<std::int64_t>(node, name);
  return value ? *value : otherwise;
}

float float_attribute(const Node& node, const std::string& name, float otherwise) {
  const auto* value = find_attribute<float>(node, name);
  return value ? *value : otherwise;
}

std::string string_attribute(const Node& node, const std::string& name, const std::string& otherwise) {
  const auto* value = find_attribute<std::string>(node, name);
  return value ? *value : otherwise;
}

std::vector<std::int64_t> ints_attribute(const Node& node, const std::string& name, std::vector<std::int64_t> otherwise) {
  const auto* value = find_attribute<std::vector<std::int64_t>>(node, name);
  return value ? *value : std::move(otherwise);
}

std::vector<std::vector<int>> consumers(const Network& network) {
  std::vector<std::vector<int>> readers(network.values.size());
  for (int i = 0; i < static_cast<int>(network.nodes.size()); ++i) {
    for (const ValueId id : network.nodes[static_cast<std::size_t>(i)].inputs) {
      if (id == kNoValue) continue;
      auto& list = readers[static_cast<std::size_t>(id)];
      if (list.empty() || list.back() != i) list.push_back(i);
    }
  }
  return readers;
}

std::vector<int> producers(const Network& network) {
  std::vector<int> makers(network.values.size(), -1);
  for (int i = 0; i < static_cast<int>(network.nodes.size()); ++i) {
    for (const ValueId id : network.nodes[static_cast<std::size_t>(i)].outputs) {
      if (id != kNoValue) makers[static_cast<std::size_t>(id)] = i;
    }
  }
  return makers;
}

std::map<std::string, int> node_indices(const Network& network) {
  std::map<std::string, int> indices;
  for (std::size_t n = 0; n < network.nodes.size(); ++n) indices[network.nodes[n].name] = static_cast<int>(n);
  return indices;
}

void validate(const Network& network) {
  std::vector<bool> is_known(network.values.size(), false);
  const auto define = [&](ValueId id, const std::string& where) {
    LATHE_CHECK(in_range(network, id)) << "value " << id << " of " << where;
    LATHE_CHECK(!is_known[static_cast<std::size_t>(id)]) << network.value(id).name << " has two producers, one is " << where;
    is_known[static_cast<std::size_t>(id)] = true;
  };
  for (const ValueId id : network.inputs) define(id, "the inputs");
  for (const auto& [id, tensor] : network.constants) {
    define(id, "the constants");
    LATHE_CHECK(network.value(id).shape == tensor.shape() && network.value(id).type == tensor.type())
        << "constant " << network.value(id).name << " is declared " << to_string(network.value(id).shape) << " and holds "
        << to_string(tensor.shape());
  }
  std::set<std::string> names;
  for (const Node& node : network.nodes) {
    LATHE_CHECK(!node.name.empty() && names.insert(node.name).second) << "node name '" << node.name << "' is empty or repeated";
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      LATHE_CHECK(in_range(network, id) && is_known[static_cast<std::size_t>(id)])
          << node.name << " reads value " << id << " before it is made";
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) define(id, node.name);
    }
  }
  for (const ValueId id : network.outputs) {
    LATHE_CHECK(in_range(network, id) && is_known[static_cast<std::size_t>(id)]) << "output " << id << " is never made";
  }
  for (const Value& value : network.values) {
    for (const std::int64_t extent : value.shape) {
      LATHE_CHECK(extent >= 0 || extent == kDynamic) << value.name << " has shape " << to_string(value.shape);
    }
  }
}

Network without_dead_nodes(Network network) {
  std::vector<bool> is_live(network.values.size(), false);
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) is_live[static_cast<std::size_t>(id)] = true;
    }
  };
  mark(network.inputs);
  mark(network.outputs);
  std::vector<Node> kept;
  for (auto node = network.nodes.rbegin(); node != network.nodes.rend(); ++node) {
    const bool is_needed = std::any_of(node->outputs.begin(), node->outputs.end(),
                                       [&](ValueId id) { return id != kNoValue && is_live[static_cast<std::size_t>(id)]; });
    if (!is_needed) continue;
    mark(node->inputs);
    // An output that nobody reads keeps its value: it says where the node's other outputs stand.
    mark(node->outputs);
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());

  std::vector<ValueId> renumbered(network.values.size(), kNoValue);
  Network out;
  for (std::size_t id = 0; id < network.values.size(); ++id) {
    if (is_live[id]) renumbered[id] = out.add_value(std::move(network.values[id]));
  }
  const auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = renumbered[static_cast<std::size_t>(id)];
    }
  };
  for (Node& node : kept) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
  for (auto& [id, tensor] : network.constants) {
    const ValueId kept_id = renumbered[static_cast<std::size_t>(id)];
    if (kept_id != kNoValue) out.constants.emplace(kept_id, std::move(tensor));
  }
  renumber(network.inputs);
  renumber(network.outputs);
  out.name = std::move(network.name);
  out.sha256 = std::move(network.sha256);
  out.opset = network.opset;
  out.nodes = std::move(kept);
  out.inputs = std::move(network.inputs);
  out.outputs = std::move(network.outputs);
  return out;
}

}  // namespace lathe::models

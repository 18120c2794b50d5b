// The network graph as a value: a directed acyclic graph of ONNX operators with weights. Copies are cheap (tensors are shared), so
// a transformation takes a Network and returns another. Nothing here runs or knows LibTorch.
//
// Laws (checked by `validate`): nodes are in topological order; each value has one producer (a node, an input or a constant); the
// shape of each value is known, with kDynamic for extents that depend on the batch, and nothing else dynamic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/tensor.h"

namespace lathe::models {

inline constexpr std::int64_t kDynamic = -1;  // an extent that depends on the batch size

using ValueId = int;                     // index into Network::values
inline constexpr ValueId kNoValue = -1;  // an optional input that is left out

struct Value {
  std::string name;
  DataType type = DataType::kFloat32;
  Shape shape;  // kDynamic where it depends on the batch
  bool operator==(const Value&) const = default;
};

using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>, Tensor>;

// An operator as in ONNX at Network::opset after import's normalization: axes of Squeeze, Unsqueeze, ReduceSum and the sizes of Split
// are inputs (opset 13 form); Constant and Identity nodes and inference-time Dropout are gone; BatchNormalization has one output.
struct Node {
  std::string name;    // unique in the network; made up as "Conv_12" where the file has none
  std::string op;      // "Conv", "Relu", ...
  std::string domain;  // "" = ONNX; kLatheDomain for our own
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, Attribute> attributes;
  bool operator==(const Node&) const = default;
};

// Our own operators (the rest of the graph is plain ONNX): simulated quantization, and marks.
//   FakeQuantize(x, scale, zero_point) -> y = (clamp(round_half_even(x / scale) + zero_point, quant_min, quant_max) - zero_point) * scale
// attributes: axis (int; -1 = per tensor, else scale and zero_point are 1-D along that axis), quant_min, quant_max (int), bits (int).
// scale: float32; zero_point: int32 (within [quant_min, quant_max]). Source: B. Jacob et al., 2018, eq. 12.
//   DynamicFakeQuantize(x) -> y = DequantizeLinear(DynamicQuantizeLinear(x)): 8 bits in the range of this very x, widened to hold 0.
//   TokenScores(probabilities [N, heads, L, L], mask?) -> [N, 1, 1, L], SelectTokens(x [N, L, width], scores, y...) -> x, y...: a place
//   where
// tokens can be dropped, and are not (policies/token_selection.h).
inline constexpr const char* kLatheDomain = "lathe";

struct Network {
  std::string name;    // graph name or file stem
  std::string sha256;  // of the ONNX file that it was read from; "" otherwise
  int opset = 13;
  std::vector<Value> values;
  std::vector<Node> nodes;              // topological order
  std::map<ValueId, Tensor> constants;  // weights and other constants
  std::vector<ValueId> inputs;          // without constants
  std::vector<ValueId> outputs;

  bool is_constant(ValueId id) const { return constants.contains(id); }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  bool operator==(const Network&) const = default;

  ValueId add_value(Value value);
  ValueId add_constant(std::string name, Tensor tensor);  // the name is made unique
};

// Attribute access with ONNX defaults. Wrong type is a check failure: import has already looked.
std::int64_t int_attribute(const Node& node, const std::string& name, std::int64_t otherwise);
float float_attribute(const Node& node, const std::string& name, float otherwise);
std::string string_attribute(const Node& node, const std::string& name, const std::string& otherwise);
std::vector<std::int64_t> ints_attribute(const Node& node, const std::string& name, std::vector<std::int64_t> otherwise);

// For each value the indices of the nodes that read it, ascending (a node that reads it twice is listed once).
std::vector<std::vector<int>> consumers(const Network& network);
// For each value the index of the node that makes it, or -1 (inputs, constants).
std::vector<int> producers(const Network& network);
// The index of each node by its name.
std::map<std::string, int> node_indices(const Network& network);
// Checks the laws above; aborts with the node's name where one is broken.
void validate(const Network& network);
// Drops nodes and constants that no output needs and renumbers the values.
Network without_dead_nodes(Network network);

}  // namespace lathe::models

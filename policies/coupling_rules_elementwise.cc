// Operators that work element by element, with numpy's broadcasting: axes aligned from the last, extent 1 couples nothing.
#include <algorithm>
#include <cmath>
#include <set>

#include "policies/coupling_rules.h"

namespace lathe::policies {
namespace {

using models::Node;
using models::ValueId;

// When the result is zero at a masked channel.
enum class ZeroLaw { kIfAll, kIfAny, kIfFirst, kNever };

// Couples operands from input `first` on and returns the axes of the result.
ValueState broadcast(CouplingPropagation& p, const Node& node, ZeroLaw law) {
  const auto rank = static_cast<std::int64_t>(p.network().value(node.outputs[0]).shape.size());
  ValueState output;
  for (std::int64_t i = rank; i >= 1; --i) {  // i-th axis from the last
    AxisState result{.expression = {{}}, .is_zero = law == ZeroLaw::kIfAll};
    bool is_first = true;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const ValueId id = node.inputs[k];
      if (id == models::kNoValue) continue;
      const bool broadcasts = i > p.rank(id) || p.extent_at(id, -i) == 1;
      const bool is_zero = !broadcasts && p.at(id, -i).is_zero;
      if (law == ZeroLaw::kIfAll) result.is_zero = result.is_zero && is_zero;
      if (law == ZeroLaw::kIfAny) result.is_zero = result.is_zero || is_zero;
      if (law == ZeroLaw::kIfFirst && k == 0) result.is_zero = is_zero;
      if (broadcasts) continue;
      if (is_first) {
        result.expression = p.at(id, -i).expression;
      } else {
        p.algebra().unify(result.expression, p.at(id, -i).expression, "operands of " + quoted(node));
      }
      is_first = false;
    }
    output.push_back(std::move(result));
  }
  return output;
}

template <ZeroLaw law>
void elementwise(CouplingPropagation& p, const Node& node) {
  p.set(node.outputs[0], broadcast(p, node, law));
}

// Zero where both data operands are.
void where(CouplingPropagation& p, const Node& node) {
  ValueState output = broadcast(p, node, ZeroLaw::kNever);
  const auto rank = static_cast<std::int64_t>(output.size());
  for (std::int64_t i = 1; i <= rank; ++i) {
    const auto is_zero = [&](ValueId id) { return i <= p.rank(id) && p.extent_at(id, -i) != 1 && p.at(id, -i).is_zero; };
    output[static_cast<std::size_t>(rank - i)].is_zero = is_zero(node.inputs[1]) && is_zero(node.inputs[2]);
  }
  p.set(node.outputs[0], std::move(output));
}

void keeps_zero(CouplingPropagation& p, const Node& node) {
  p.set(node.outputs[0], p.state(node.inputs[0]));
}

void loses_zero(CouplingPropagation& p, const Node& node) {
  ValueState output = p.state(node.inputs[0]);
  for (AxisState& axis : output) axis.is_zero = false;
  p.set(node.outputs[0], std::move(output));
}

// The number that an input holds wherever it is read, if it is a constant of one element.
const models::Tensor* constant_input(const CouplingPropagation& p, const Node& node, std::size_t index) {
  return is_constant_input(p.network(), node, index) ? &p.network().constants.at(node.inputs[index]) : nullptr;
}

bool all_values(const models::Tensor& tensor, bool (*claim)(float)) {
  const std::vector<float> values = tensor.to_floats();
  return std::all_of(values.begin(), values.end(), claim);
}

// Clip keeps zero where its bounds enclose zero.
void clip(CouplingPropagation& p, const Node& node) {
  bool keeps = true;
  for (const std::size_t bound : {1, 2}) {
    if (!has_input(node, bound)) continue;
    const models::Tensor* value = constant_input(p, node, bound);
    keeps = keeps && value &&
            all_values(
                *value, bound == 1 ? [](float v) { return v <= 0; } : [](float v) { return v >= 0; });
  }
  keeps ? keeps_zero(p, node) : loses_zero(p, node);
}

const Node* producer_of(const CouplingPropagation& p, ValueId id) {
  for (const Node& node : p.network().nodes) {
    if (std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end()) return &node;
  }
  return nullptr;
}

bool zero_everywhere(CouplingPropagation& p, ValueId id) {
  const ValueState& state = p.state(id);
  return std::all_of(state.begin(), state.end(), [&](const AxisState& axis) { return p.zero_or_whole(axis); });
}

// Whether a masked channel of the value is provably above zero: e^x, or something that is zero there plus a positive number.
bool positive_where_masked(CouplingPropagation& p, ValueId id) {
  static const std::set<std::string> kPositive = {"Exp", "Sigmoid", "Softplus", "Softmax"};
  const Node* node = producer_of(p, id);
  if (node == nullptr) return false;
  if (kPositive.contains(node->op)) return true;
  if (node->op == "Sqrt" || node->op == "Expand") return positive_where_masked(p, node->inputs[0]);
  if (node->op == "Clip") {
    const models::Tensor* low = constant_input(p, *node, 1);
    return low && all_values(*low, [](float v) { return v > 0; });
  }
  if (node->op != "Add" && node->op != "Max") return false;
  for (const std::size_t k : {0, 1}) {
    const models::Tensor* number = constant_input(p, *node, k);
    if (!number || number->size() != 1 || !all_values(*number, [](float v) { return v > 0; })) continue;
    const ValueId other = node->inputs[1 - k];
    return node->op == "Max" || zero_everywhere(p, other) || positive_where_masked(p, other);
  }
  return false;
}

// x / y: masked channels of y must not be zero, since 0 / 0 would spoil what is masked. A constant y is left as it is.
void division(CouplingPropagation& p, const Node& node) {
  const ValueId y = node.inputs[1];
  // An axis along which y is broadcast or whole is harmless: what is there, is there in the pruned network too.
  const bool is_safe = p.network().is_constant(y) || positive_where_masked(p, y);
  if (!is_safe) p.freeze_all_channels(y, "divided by in " + quoted(node));
  p.set(node.outputs[0], broadcast(p, node, ZeroLaw::kIfFirst));
}

// x^y: zero stays zero for y > 0; a root of masked values must be of zero.
void power(CouplingPropagation& p, const Node& node) {
  const models::Tensor* exponent = constant_input(p, node, 1);
  const bool positive = exponent && all_values(*exponent, [](float v) { return v > 0; });
  const bool whole = exponent && all_values(*exponent, [](float v) { return v == std::floor(v); });
  const bool is_safe = positive && (whole || zero_everywhere(p, node.inputs[0]));
  if (!is_safe) {
    p.freeze_all_channels(node.inputs[0], "raised to a power by " + quoted(node));
    p.freeze_all_channels(node.inputs[1], "raised to a power by " + quoted(node));
  }
  p.set(node.outputs[0], broadcast(p, node, is_safe ? ZeroLaw::kIfFirst : ZeroLaw::kNever));
}

void square_root(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  if (!zero_everywhere(p, x) && !positive_where_masked(p, x)) p.freeze_all_channels(x, "square root taken by " + quoted(node));
  keeps_zero(p, node);
}

// log 0 and 1 / 0 are not numbers that a zero weight could hide.
void undefined_at_zero(CouplingPropagation& p, const Node& node) {
  if (!positive_where_masked(p, node.inputs[0]))
    p.freeze_all_channels(node.inputs[0], "read by " + quoted(node) + ", which is undefined at zero");
  loses_zero(p, node);
}

// FakeQuantize, QuantizeLinear and DequantizeLinear: scale and zero point lie along one axis or are single numbers. Zero is exact.
void quantization(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::int64_t axis = models::int_attribute(node, "axis", node.domain == models::kLatheDomain ? -1 : 1);
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    const ValueId id = node.inputs[k];
    if (id == models::kNoValue || p.rank(id) == 0 || p.extent_at(id, 0) == 1) continue;
    p.algebra().unify(p.at(id, 0).expression, p.at(x, axis).expression, "scales of " + quoted(node));
  }
  keeps_zero(p, node);
}

}  // namespace

void add_elementwise_rules(CouplingRules& rules) {
  for (const char* op : {"Add", "Sub", "Sum", "Max", "Min", "Mean"}) rules[op] = elementwise<ZeroLaw::kIfAll>;
  rules["Mul"] = elementwise<ZeroLaw::kIfAny>;
  rules["PRelu"] = elementwise<ZeroLaw::kIfFirst>;
  for (const char* op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"}) {
    rules[op] = elementwise<ZeroLaw::kNever>;
  }
  for (const char* op :
       {"Relu", "LeakyRelu", "Elu",     "Selu", "Celu",  "Tanh", "Erf",   "Sin",       "Sinh", "Asinh",    "Tan",
        "Atan", "Abs",       "Neg",     "Sign", "Floor", "Ceil", "Round", "HardSwish", "Gelu", "Softsign", "ThresholdedRelu",
        "Cast", "Identity",  "Dropout", "Mish"}) {
    rules[op] = keeps_zero;
  }
  for (const char* op : {"Sigmoid", "HardSigmoid", "Exp", "Softplus", "Cos", "Cosh", "Not", "IsNaN", "IsInf"}) rules[op] = loses_zero;
  rules["Clip"] = clip;
  rules["Where"] = where;
  rules["Div"] = division;
  rules["Pow"] = power;
  rules["Sqrt"] = square_root;
  rules["Log"] = rules["Reciprocal"] = undefined_at_zero;
  for (const char* op : {"FakeQuantize", "QuantizeLinear", "DequantizeLinear"}) rules[op] = quantization;
}

}  // namespace lathe::policies

#include "models/internal/node_inference.h"

#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <unordered_map>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"

namespace lathe::models::internal {
namespace {

// Contents longer than this are no shapes, axes, pads or scales.
constexpr std::int64_t kLongestOperand = 4096;

Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) throw std::runtime_error("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

// Extents of the letters of an Einsum equation; an ellipsis stands for the broadcast of the axes that have no letter.
Shape einsum_shape(std::string equation, const std::vector<Shape>& operands) {
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  const auto arrow = equation.find("->");
  const std::string left = equation.substr(0, arrow) + ",";
  std::map<char, std::int64_t> extents;
  std::map<char, int> counts;
  Shape ellipsis;
  std::size_t begin = 0;
  for (const Shape& operand : operands) {
    const auto comma = left.find(',', begin);
    if (comma == std::string::npos) throw std::runtime_error("equation '" + equation + "' has fewer terms than operands");
    const std::string term = left.substr(begin, comma - begin);
    begin = comma + 1;
    const auto dots = term.find("...");
    const std::size_t letters = term.size() - (dots == std::string::npos ? 0 : 3);
    if (letters > operand.size() || (dots == std::string::npos && letters != operand.size())) {
      throw std::runtime_error("term '" + term + "' does not fit an operand of shape " + to_string(operand));
    }
    std::size_t axis = 0;
    for (std::size_t i = 0; i < term.size(); ++i) {
      if (i == dots) {
        const std::size_t free = operand.size() - letters;
        ellipsis = broadcast(ellipsis, Shape(operand.begin() + axis, operand.begin() + axis + free));
        axis += free;
        i += 2;
        continue;
      }
      std::int64_t& extent = extents.try_emplace(term[i], 1).first->second;
      if (extent != 1 && operand[axis] != 1 && extent != operand[axis]) {
        throw std::runtime_error("'" + std::string(1, term[i]) + "' has two extents");
      }
      extent = std::max(extent, operand[axis++]);
      ++counts[term[i]];
    }
  }
  std::string right;
  if (arrow != std::string::npos) {
    right = equation.substr(arrow + 2);
  } else {
    // Implicit output: the ellipsis, then the letters that occur once, in alphabetical order.
    if (left.find("...") != std::string::npos) right = "...";
    for (const auto& [letter, count] : counts) {
      if (count == 1) right += letter;
    }
  }
  Shape out;
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (right.compare(i, 3, "...") == 0) {
      out.insert(out.end(), ellipsis.begin(), ellipsis.end());
      i += 2;
    } else {
      const auto found = extents.find(right[i]);
      if (found == extents.end()) throw std::runtime_error("output letter of '" + equation + "' is in no term");
      out.push_back(found->second);
    }
  }
  return out;
}

std::string string_attribute(const onnx::NodeProto& node, const std::string& name) {
  const auto found = std::find_if(node.attribute().begin(), node.attribute().end(), [&](const auto& a) { return a.name() == name; });
  return found == node.attribute().end() ? "" : found->s();
}

// Operators whose inference function is missing in libonnx 1.12 (Einsum's gives the rank alone).
bool infer_ourselves(const onnx::NodeProto& node, const std::vector<Shape>& inputs, DataType first_type, DataType& type, Shape& shape) {
  type = first_type;
  if (node.op_type() == "GreaterOrEqual" || node.op_type() == "LessOrEqual") {
    type = DataType::kBool;
    shape = broadcast(inputs.at(0), inputs.at(1));
  } else if (node.op_type() == "MeanVarianceNormalization") {
    shape = inputs.at(0);
  } else if (node.op_type() == "Einsum") {
    shape = einsum_shape(string_attribute(node, "equation"), inputs);
  } else {
    return false;
  }
  return true;
}

class OneBatchInference {
 public:
  OneBatchInference(const onnx::NodeProto& node, const std::vector<ValueId>& inputs, const GraphBuilder& builder, std::size_t side)
      : node_(node) {
    for (int i = 0; i < node_.input_size(); ++i) {
      const ValueId id = inputs[static_cast<std::size_t>(i)];
      if (id == kNoValue) continue;
      const Shape& shape = builder.shapes(id)[side];
      shapes_.push_back(shape);
      protos_.push_back(type_proto_of(builder.network().value(id).type, shape));
      types_[node_.input(i)] = &protos_.back();
      const auto& content = builder.content(id, side);
      if (!content || content->size() > kLongestOperand) continue;
      tensors_.push_back(proto_of(*content, node_.input(i)));
      data_[node_.input(i)] = &tensors_.back();
    }
    first_type_ =
        shapes_.empty()
            ? DataType::kFloat32
            : builder.network().value(*std::find_if(inputs.begin(), inputs.end(), [](ValueId id) { return id != kNoValue; })).type;
  }

  // By output; nullopt where the shape could not be inferred or the output has no name.
  std::vector<std::optional<std::pair<DataType, Shape>>> run(const onnx::OpSchema& schema) {
    std::vector<std::optional<std::pair<DataType, Shape>>> outputs(static_cast<std::size_t>(node_.output_size()));
    std::pair<DataType, Shape> own;
    if (infer_ourselves(node_, shapes_, first_type_, own.first, own.second)) {
      outputs[0] = own;
      return outputs;
    }
    onnx::shape_inference::InferenceContextImpl context(node_, types_, data_, {});
    schema.GetTypeAndShapeInferenceFunction()(context);
    if (node_.op_type() == "OneHot") fill_depth(context.allOutputTypes_[0]);
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = value_of(context.allOutputTypes_[i]);
    return outputs;
  }

 private:
  // OneHot's new axis: libonnx leaves its extent open although the depth is known.
  void fill_depth(onnx::TypeProto& output) const {
    const auto depth = data_.find(node_.input(1));
    if (depth == data_.end() || depth->second->dims_size() > 1) return;
    for (auto& dim : *output.mutable_tensor_type()->mutable_shape()->mutable_dim()) {
      if (!dim.has_dim_value()) dim.set_dim_value(static_cast<std::int64_t>(tensor_of(*depth->second).to_floats().at(0)));
    }
  }

  static std::optional<std::pair<DataType, Shape>> value_of(const onnx::TypeProto& proto) {
    if (proto.value_case() != onnx::TypeProto::kTensorType || !proto.tensor_type().has_shape()) return std::nullopt;
    const std::optional<DataType> type = data_type_of(proto.tensor_type().elem_type());
    if (!type) return std::nullopt;
    Shape shape;
    for (const auto& dim : proto.tensor_type().shape().dim()) {
      if (!dim.has_dim_value()) return std::nullopt;
      shape.push_back(dim.dim_value());
    }
    return std::pair(*type, std::move(shape));
  }

  onnx::NodeProto node_;  // the context wants it mutable
  std::vector<Shape> shapes_;
  DataType first_type_ = DataType::kFloat32;
  std::list<onnx::TypeProto> protos_;
  std::list<onnx::TensorProto> tensors_;
  std::unordered_map<std::string, onnx::TypeProto*> types_;
  std::unordered_map<std::string, const onnx::TensorProto*> data_;
};

}  // namespace

std::vector<std::optional<InferredValue>> infer_node(const onnx::NodeProto& node, const std::string& name,
                                                     const std::vector<ValueId>& inputs, const GraphBuilder& builder, int opset) {
  const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(node.op_type(), opset, "");
  if (schema == nullptr) {
    throw UserError(Fault{.key = name, .expected = "operator " + node.op_type() + " does not exist in opset " + std::to_string(opset)});
  }
  std::vector<std::optional<InferredValue>> values(static_cast<std::size_t>(node.output_size()));
  for (std::size_t side = 0; side < kBatches.size(); ++side) {
    std::vector<std::optional<std::pair<DataType, Shape>>> outputs;
    try {
      outputs = OneBatchInference(node, inputs, builder, side).run(*schema);
    } catch (const UserError&) {
      throw;
    } catch (const std::exception& error) {
      throw UserError(Fault{.key = name, .expected = node.op_type() + ": " + one_line(error.what())});
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (node.output(static_cast<int>(i)).empty()) continue;
      if (!outputs[i])
        throw UserError(Fault{.key = name, .expected = node.op_type() + ": its output shape depends on data, or has an unsupported type"});
      if (!values[i]) values[i] = InferredValue{.type = outputs[i]->first};
      values[i]->shapes[side] = std::move(outputs[i]->second);
    }
  }
  return values;
}

}  // namespace lathe::models::internal

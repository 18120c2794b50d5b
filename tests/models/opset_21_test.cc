#include "models/internal/opset_21.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "models/onnx_writer.h"
#include "tests/models/onnx_text.h"

namespace lathe::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// y = MatMul(x, DequantizeLinear(int4 [3, 3])), its mean over an axis, and halves of the batch.
Network four_bit_network() {
  Network network = network_from_text(R"(net (float[N, 3] x, float[3, 3] w) => (float[N, 1] mean, float[M, 3] first, float[M, 3] second) {
    y = MatMul(x, w)
    mean = ReduceMean<axes = [1]>(y)
    first, second = Split<axis = 0>(y)
  })");
  const ValueId weight = network.inputs[1];
  network.inputs.pop_back();
  const std::vector<std::int8_t> levels{-8, -7, -1, 0, 1, 2, 3, 6, 7};
  std::vector<std::byte> bytes;
  for (const std::int8_t level : levels) bytes.push_back(static_cast<std::byte>(level));
  const ValueId stored = network.add_constant("w4", Tensor(DataType::kInt4, {3, 3}, bytes));
  const ValueId scale = network.add_constant("scale", Tensor::scalar(0.5F));
  network.nodes.insert(network.nodes.begin(), {.name = "d", .op = "DequantizeLinear", .inputs = {stored, scale}, .outputs = {weight}});
  return network;
}

onnx::ModelProto written(const Network& network) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(serialize_onnx(network, SparseInitializers::kWhereSmaller)));
  return model;
}

const onnx::TensorProto& initializer(const onnx::ModelProto& model, const std::string& name) {
  const auto& all = model.graph().initializer();
  return *std::find_if(all.begin(), all.end(), [&](const auto& tensor) { return tensor.name() == name; });
}

// The bytes are those that Python's onnx 1.17 makes: helper.make_tensor("w", TensorProto.INT4, [3, 3], [-8, ..., 7]).raw_data.
TEST(Opset21, PacksTwoElementsAByteTheFirstInTheLowHalf) {
  const onnx::ModelProto model = written(four_bit_network());
  EXPECT_EQ(model.opset_import(0).version(), 21);
  EXPECT_EQ(model.ir_version(), 10);
  EXPECT_EQ(initializer(model, "w4").data_type(), 22);
  EXPECT_EQ(initializer(model, "w4").raw_data(), std::string("\x98\x0f\x21\x63\x07", 5));
}

TEST(Opset21, WritesOperatorsAsTheNewOpsetHasThem) {
  const onnx::ModelProto model = written(four_bit_network());
  const onnx::NodeProto& mean = model.graph().node(2);
  ASSERT_EQ(mean.op_type(), "ReduceMean");
  ASSERT_EQ(mean.input_size(), 2);
  EXPECT_EQ(initializer(model, mean.input(1)).data_type(), onnx::TensorProto::INT64);
  for (const auto& attribute : mean.attribute()) EXPECT_NE(attribute.name(), "axes");
  const onnx::NodeProto& split = model.graph().node(3);
  const auto parts =
      std::find_if(split.attribute().begin(), split.attribute().end(), [](const auto& a) { return a.name() == "num_outputs"; });
  ASSERT_NE(parts, split.attribute().end());
  EXPECT_EQ(parts->i(), 2);
}

TEST(Opset21, ReadsWhatItWrote) {
  const Network network = four_bit_network();
  const std::string bytes = serialize_onnx(network);
  const Network again = parse_onnx(bytes, "again.onnx");
  ASSERT_EQ(again.nodes.size(), network.nodes.size());
  EXPECT_EQ(again.constants.at(again.nodes[0].inputs[0]), network.constants.at(network.nodes[0].inputs[0]));
  EXPECT_EQ(again.nodes[2].attributes, network.nodes[2].attributes);
  EXPECT_EQ(again.nodes[2].inputs.size(), 1u);
  EXPECT_EQ(serialize_onnx(again), bytes);
}

TEST(Opset21, ReadsWhatOpset17CouldSayToo) {
  const Network network = network_from_text(R"(net (float[N, 4, 6] x) => (float[N, 4, 1] y) {
    axes = Constant<value_ints = [-1]>()
    y = ReduceMax<noop_with_empty_axes = 0>(x, axes)
  })",
                                            18);
  EXPECT_EQ(network.opset, 17);
  EXPECT_THAT(ints_attribute(network.nodes[0], "axes", {}), ElementsAre(2));
}

TEST(Opset21, RefusesWhatItCannotSay) {
  const auto message_of = [](const onnx::ModelProto& model) {
    return user_error_of([&] { parse_onnx(model.SerializeAsString(), "a.onnx"); });
  };
  onnx::ModelProto blocked = written(four_bit_network());
  auto* block = blocked.mutable_graph()->mutable_node(0)->add_attribute();
  block->set_name("block_size");
  block->set_type(onnx::AttributeProto::INT);
  block->set_i(16);
  EXPECT_THAT(message_of(blocked), HasSubstr("a.onnx: the ONNX checker refuses it (read as opset 17): Unrecognized attribute: block_size"));

  onnx::ModelProto cut = written(four_bit_network());
  for (auto& tensor : *cut.mutable_graph()->mutable_initializer()) {
    if (tensor.name() == "w4") tensor.mutable_raw_data()->resize(4);
  }
  EXPECT_EQ(message_of(cut), "a.onnx: tensor w4: 9 elements of 4 bits take 5 bytes, the file has 4");

  onnx::ModelProto activation = written(four_bit_network());
  activation.mutable_graph()->mutable_node(0)->set_op_type("QuantizeLinear");
  *activation.mutable_graph()->mutable_node(0)->add_input() = "w4";
  EXPECT_EQ(message_of(activation), "a.onnx: d: activations of 4 bits (QuantizeLinear to int4 or uint4) are not supported");
}

}  // namespace
}  // namespace lathe::models

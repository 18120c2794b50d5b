#include "models/onnx_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "models/base/error.h"
#include "models/base/rng.h"
#include "models/kernels/kernel.h"
#include "models/supported_operators.h"
#include "tests/models/onnx_text.h"

namespace lathe::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ops_of(const Network& network) {
  std::vector<std::string> ops;
  for (const Node& node : network.nodes) ops.push_back(node.op);
  return ops;
}

std::vector<std::int64_t> integers_of(const Network& network, const Node& node, std::size_t input) {
  return network.constants.at(node.inputs.at(input)).to_int64s();
}

std::string message_of(const std::string& body, int opset = 13) {
  return user_error_of([&] { network_from_text(body, opset); });
}

TEST(OnnxReader, FoldsTheShapeArithmeticOfAView) {
  const Network network = network_from_text(R"(net (float[N, 6, 4] x) => (float[M, K] y) {
    shape = Shape(x)
    zero = Constant<value = int64 {0}>()
    batch = Gather<axis = 0>(shape, zero)
    axes = Constant<value = int64[1] {0}>()
    first = Unsqueeze(batch, axes)
    rest = Constant<value = int64[1] {-1}>()
    target = Concat<axis = 0>(first, rest)
    y = Reshape(x, target)
  })");
  EXPECT_THAT(ops_of(network), ElementsAre("Reshape"));
  EXPECT_THAT(integers_of(network, network.nodes[0], 1), ElementsAre(-1, 24));
  EXPECT_THAT(network.value(network.outputs[0]).shape, ElementsAre(kDynamic, 24));
  EXPECT_EQ(network.value(network.outputs[0]).name, "y");
}

TEST(OnnxReader, KeepsOnlyTheBatchOfAnExpand) {
  const Network network = network_from_text(R"(net (float[N, 6] x, float[1, 6] token) => (float[M, K] y) {
    shape = Shape(x)
    y = Expand(token, shape)
  })");
  // [batch, 1]: the extent of 6 is the input's own, so a pruned network expands right too.
  EXPECT_THAT(ops_of(network), ElementsAre("Shape", "Gather", "Concat", "Expand"));
  EXPECT_THAT(integers_of(network, network.nodes[2], 1), ElementsAre(1));
}

TEST(OnnxReader, BringsOpset11IntoTheFormOf13) {
  const Network network = network_from_text(R"(net (float[N, 4, 6, 1] x) => (float[N, 4, 1] s, float[N, 4, 2, 1] b) {
    a, b = Split<axis = 2, split = [4, 2]>(x)
    c = Squeeze<axes = [3]>(a)
    s = ReduceSum<axes = [-1], keepdims = 1>(c)
  })",
                                            11);
  EXPECT_EQ(network.opset, 13);
  ASSERT_THAT(ops_of(network), ElementsAre("Split", "Squeeze", "ReduceSum"));
  EXPECT_THAT(integers_of(network, network.nodes[0], 1), ElementsAre(4, 2));
  EXPECT_THAT(integers_of(network, network.nodes[1], 1), ElementsAre(3));
  EXPECT_THAT(integers_of(network, network.nodes[2], 1), ElementsAre(2));
  EXPECT_FALSE(network.nodes[0].attributes.contains("split"));
}

TEST(OnnxReader, WritesOutTheFlatteningOfOldSoftmax) {
  const Network network = network_from_text("net (float[N, 4, 6] x) => (float[N, 4, 6] y) { y = Softmax<axis = 1>(x) }", 12);
  EXPECT_THAT(ops_of(network), ElementsAre("Flatten", "Softmax", "Reshape"));
  const Network last = network_from_text("net (float[N, 4, 6] x) => (float[N, 4, 6] y) { y = Softmax<axis = -1>(x) }", 12);
  EXPECT_THAT(ops_of(last), ElementsAre("Softmax"));
}

TEST(OnnxReader, DropsIdentityAndDropoutAndKeepsOutputNames) {
  const Network network = network_from_text(R"(net (float[N, 4] x) => (float[N, 4] y) {
    a = Identity(x)
    b = Relu(a)
    c = Dropout(b)
    y = Identity(c)
  })");
  EXPECT_THAT(ops_of(network), ElementsAre("Relu"));
  EXPECT_EQ(network.value(network.outputs[0]).name, "y");
}

TEST(OnnxReader, ResolvesAutoPad) {
  const Network network = network_from_text(R"(net (float[N, 1, 5, 6] x, float[1, 1, 3, 3] w) => (float[N, 1, 3, 3] y) {
    y = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w)
  })");
  // 5 -> 3 needs 2 in all, 6 -> 3 needs 1, which goes to the end.
  EXPECT_THAT(ints_attribute(network.nodes[0], "pads", {}), ElementsAre(1, 0, 1, 1));
  EXPECT_FALSE(network.nodes[0].attributes.contains("auto_pad"));
}

TEST(OnnxReader, NamesNodesByTheFileThenTheWeightThenTheOperator) {
  onnx::ModelProto model = model_from_text(R"(<ir_version: 7, opset_import: ["" : 13]>
    net (float[N, 2] x) => (float[N, 2] y) { a = Relu(x)  b = MatMul(a, w)  c = Relu(b)  y = Relu(c) })");
  model.mutable_graph()->mutable_node(0)->set_name("Relu_2");
  auto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("head.fc.weight");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(2);
  weight->add_dims(2);
  for (int i = 0; i < 4; ++i) weight->add_float_data(1);
  model.mutable_graph()->mutable_node(1)->set_input(1, "head.fc.weight");
  const Network network = parse_onnx(model.SerializeAsString(), "test.onnx");
  std::vector<std::string> names;
  for (const Node& node : network.nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("Relu_2", "head.fc", "Relu_2_1", "Relu_3"));
}

TEST(OnnxReader, OpensAFixedBatchWhereSamplesAreAlone) {
  const Network network = network_from_text(R"(net (float[1, 6, 4] x) => (float[1, 24] y) {
    target = Constant<value = int64[2] {1, 24}>()
    y = Reshape(x, target)
  })");
  EXPECT_THAT(network.value(network.inputs[0]).shape, ElementsAre(kDynamic, 6, 4));
  EXPECT_THAT(integers_of(network, network.nodes[0], 1), ElementsAre(-1, 24));
}

TEST(OnnxReader, KeepsAFixedBatchThatSamplesShare) {
  // The mean over the batch mixes samples; the second folds the batch into the channels for good.
  const Network mixed =
      network_from_text("net (float[2, 6] x) => (float[2, 6] y) { m = ReduceMean<axes = [0], keepdims = 1>(x)  y = Sub(x, m) }");
  EXPECT_THAT(mixed.value(mixed.inputs[0]).shape, ElementsAre(2, 6));
  const Network folded = network_from_text(R"(net (float[1, 6, 4] x) => (float[6, 4] y) {
    target = Constant<value = int64[2] {6, 4}>()
    y = Reshape(x, target)
  })");
  EXPECT_THAT(folded.value(folded.inputs[0]).shape, ElementsAre(1, 6, 4));
}

TEST(OnnxReader, ListsEveryMissingOperatorInOneError) {
  EXPECT_EQ(message_of("net (float[N, 4] x) => (float[N, 4] y) { a = NonZero(x)  b = NonZero(a)  y = Det(b) }"),
            "test.onnx: node that makes y: operator Det is not supported\n"
            "test.onnx: node that makes a: operator NonZero is not supported (2 nodes)");
}

TEST(OnnxReader, RefusesOtherOpsets) {
  EXPECT_EQ(message_of("net (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }", 22),
            "test.onnx: opset 22 is not supported; export the network again with an opset from 11 to 21");
  EXPECT_THAT(message_of("net (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }", 9), HasSubstr("opset 9 is not supported"));
}

TEST(OnnxReader, RefusesDynamicExtentsBesidesTheBatch) {
  EXPECT_EQ(message_of("net (float[N, T] x) => (float[N, T] y) { y = Relu(x) }"),
            "test.onnx: input x: axis 1 ('T') is dynamic; only the first axis (the batch) may be. Fix it when exporting");
}

TEST(OnnxReader, RefusesWhatIsNoOnnx) {
  EXPECT_EQ(user_error_of([] { parse_onnx("", "a.onnx"); }), "a.onnx: the file is empty");
  EXPECT_EQ(user_error_of([] { parse_onnx("hello, this is text", "a.onnx"); }), "a.onnx: not an ONNX file, or a truncated one");
  EXPECT_EQ(user_error_of([] { read_onnx("nowhere/x.onnx"); }), "nowhere/x.onnx: cannot be read: No such file or directory");
  EXPECT_EQ(user_error_of([] { read_onnx(testing::TempDir()); }), testing::TempDir() + ": is a folder, expected an ONNX file");
}

TEST(OnnxReader, RefusesShapesThatDoNotFit) {
  EXPECT_THAT(message_of("net (float[N, 4] x, float[5, 3] w) => (float[N, 3] y) { y = MatMul(x, w) }"),
              testing::StartsWith("test.onnx: MatMul_0: MatMul: "));
  EXPECT_EQ(message_of("net (float[N, 4, 8, 8] x, float[6, 3, 3, 3] w) => (float[N, 6, 6, 6] y) { y = Conv(x, w) }"),
            "test.onnx: Conv_0: Conv: channels do not fit 1 groups: input [N, 4, 8, 8], weight [6, 3, 3, 3]");
  EXPECT_EQ(message_of("net (float[N, 4, 8, 8] x, float[6, 4, 3, 3] w) => (float[N, 6, 6, 6] y) { y = Conv<strides = [0, 1]>(x, w) }"),
            "test.onnx: Conv_0: Conv: attribute 'strides' must be positive");
}

TEST(OnnxReader, RefusesTooFewWeightBytes) {
  onnx::ModelProto model =
      model_from_text("<ir_version: 7, opset_import: [\"\" : 13]> net (float[N, 2] x) => (float[N, 2] y) { y = Add(x, w) }");
  auto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(2);
  weight->set_raw_data("abcd");
  EXPECT_EQ(user_error_of([&] { parse_onnx(model.SerializeAsString(), "a.onnx"); }),
            "a.onnx: tensor w: shape [2] takes 8 bytes of data, the file has 4");
}

TEST(OnnxReader, RefusesCyclesDanglingInputsAndTrainingMode) {
  EXPECT_THAT(message_of("net (float[N, 2] x) => (float[N, 2] y) { y = Add(x, z)  z = Relu(y) }"),
              testing::StartsWith("test.onnx: the ONNX checker refuses it: "));
  EXPECT_THAT(message_of("net (float[N, 2] x) => (float[N, 2] y) { y = Add(x, nothing) }"),
              testing::StartsWith("test.onnx: the ONNX checker refuses it: "));
  EXPECT_EQ(
      message_of(R"(net (float[N, 2] x, float[2] a) => (float[N, 2] y) { y, m, v = BatchNormalization<training_mode = 1>(x, a, a, a, a) })",
                 15),
      "test.onnx: BatchNormalization_0: BatchNormalization is in training mode; export the network in evaluation mode");
}

TEST(OnnxReader, RefusesAGraphWithoutOutputs) {
  onnx::ModelProto model =
      model_from_text("<ir_version: 7, opset_import: [\"\" : 13]> net (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }");
  model.mutable_graph()->clear_output();
  EXPECT_THAT(user_error_of([&] { parse_onnx(model.SerializeAsString(), "test.onnx"); }), HasSubstr("test.onnx: the graph has no outputs"));
}

TEST(OnnxReader, RefusesControlFlow) {
  EXPECT_THAT(
      message_of("net (float[N, 2] x, bool c) => (float[N, 2] y) { y = If<then_branch = t () => (float[N, 2] a) { a = Identity(x) }, "
                 "else_branch = e () => (float[N, 2] b) { b = Relu(x) }>(c) }"),
      HasSubstr("operator If is not supported"));
}

TEST(OnnxReader, ReadsWeightsFromAFileBesideTheModel) {
  const std::string folder = testing::TempDir() + "external/";
  std::filesystem::create_directories(folder);
  onnx::ModelProto model =
      model_from_text("<ir_version: 7, opset_import: [\"\" : 13]> net (float[N, 2] x) => (float[N, 2] y) { y = Add(x, w) }");
  auto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(2);
  weight->set_data_location(onnx::TensorProto::EXTERNAL);
  const auto say = [&](const char* key, const char* value) {
    auto* entry = weight->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  say("location", "weights.bin");
  say("offset", "4");
  say("length", "8");
  const float data[] = {9, 1.5f, -2};
  std::ofstream(folder + "weights.bin", std::ios::binary).write(reinterpret_cast<const char*>(data), sizeof(data));
  std::ofstream(folder + "m.onnx", std::ios::binary) << model.SerializeAsString();
  const Network network = read_onnx(folder + "m.onnx");
  EXPECT_THAT(network.constants.at(network.nodes[0].inputs[1]).to_floats(), ElementsAre(1.5f, -2.0f));

  weight->mutable_external_data(0)->set_value("../weights.bin");
  std::ofstream(folder + "m.onnx", std::ios::binary) << model.SerializeAsString();
  EXPECT_EQ(user_error_of([&] { read_onnx(folder + "m.onnx"); }),
            folder + "m.onnx: tensor w: external data '../weights.bin' is not in the folder of the model");
}

// Whatever the bytes, reading ends with a network or a UserError.
TEST(OnnxReader, SurvivesDamagedFiles) {
  const std::string sound = model_from_text(R"(<ir_version: 7, opset_import: ["" : 13]>
    net (float[N, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[N, 16] y) {
      a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, w)
      b = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
      target = Constant<value = int64[2] {0, -1}>()
      c = Reshape(b, target)
      s = Constant<value = int64[1] {2}>()
      e = Constant<value = int64[1] {14}>()
      one = Constant<value = int64[1] {1}>()
      d = Slice(c, s, e, one)
      y = Softmax<axis = -1>(d)
    })")
                                .SerializeAsString();
  ASSERT_NO_THROW(parse_onnx(sound, "sound"));
  int refused = 0;
  for (std::uint64_t round = 0; round < 3000; ++round) {
    Rng rng(11, "damage", round);
    std::string damaged = sound;
    for (std::int64_t flips = 1 + rng.below(3); flips > 0; --flips) {
      damaged[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(damaged.size())))] = static_cast<char>(rng.below(256));
    }
    if (rng.below(8) == 0) damaged.resize(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(damaged.size()))));
    try {
      parse_onnx(damaged, "damaged");
    } catch (const UserError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(SupportedOperators, AreThoseWithAKernelAndThoseThatImportRemoves) {
  std::vector<std::string> executed = kernels::kernel_names();
  executed.insert(executed.end(), {"Constant", "Dropout"});
  std::erase_if(executed, [](const std::string& name) { return name.starts_with("lathe."); });
  EXPECT_THAT(supported_operators(), testing::UnorderedElementsAreArray(executed));
}

}  // namespace
}  // namespace lathe::models

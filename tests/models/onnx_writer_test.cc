#include "models/onnx_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/models/onnx_text.h"

namespace lathe::models {
namespace {

Network small_network() {
  return network_from_text(R"(net (float[N, 2, 6] x) => (float[N, 2, 3] y, float[M, 4] z) {
    a = Softmax<axis = -1>(x)
    s = Constant<value = int64[1] {0}>()
    e = Constant<value = int64[1] {3}>()
    axis = Constant<value = int64[1] {2}>()
    y = Slice(a, s, e, axis)
    shape = Constant<value = int64[2] {-1, 4}>()
    z = Reshape(x, shape)
  })");
}

// 8 bytes a position: sparse only where fewer than a third of the floats are left.
TEST(OnnxWriter, LeavesOutZerosWhereThatIsSmaller) {
  std::vector<float> values(200, 0.0F);
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = -0.0F;  // as folding a negative scale leaves it
  for (std::size_t i = 3; i < values.size(); i += 10) values[i] = 0.5F;
  Network network{.name = "sparse"};
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic, 20}});
  const ValueId w = network.add_constant("w", Tensor::from<float>({20, 10}, values));
  const ValueId y = network.add_value({"y", DataType::kFloat32, {kDynamic, 10}});
  network.nodes.push_back({.name = "product", .op = "MatMul", .inputs = {x, w}, .outputs = {y}});
  network.inputs = {x};
  network.outputs = {y};
  const std::string dense = serialize_onnx(network), sparse = serialize_onnx(network, SparseInitializers::kWhereSmaller);
  EXPECT_LT(sparse.size(), dense.size());
  const Network again = parse_onnx(sparse, "again"), whole = parse_onnx(dense, "again");
  ASSERT_EQ(again.constants.size(), whole.constants.size());
  for (const auto& [id, tensor] : whole.constants)
    EXPECT_TRUE(std::ranges::equal(again.constants.at(id).values<float>(), tensor.values<float>()));
  EXPECT_EQ(serialize_onnx(small_network(), SparseInitializers::kWhereSmaller), serialize_onnx(small_network())) << "nothing to leave out";
}

TEST(OnnxWriter, WritesWhatReadsBackAlike) {
  const Network network = small_network();
  Network again = parse_onnx(serialize_onnx(network), "again.onnx");
  again.sha256 = network.sha256;
  EXPECT_EQ(again.nodes.size(), network.nodes.size());
  EXPECT_EQ(again.name, "net");
  for (std::size_t i = 0; i < again.nodes.size(); ++i) {
    EXPECT_EQ(again.nodes[i].name, network.nodes[i].name);
    EXPECT_EQ(again.nodes[i].attributes, network.nodes[i].attributes);
  }
}

TEST(OnnxWriter, IsDeterministic) {
  EXPECT_EQ(serialize_onnx(small_network()), serialize_onnx(small_network()));
}

TEST(OnnxWriter, SaysWhatOtherToolsWantToKnow) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(serialize_onnx(small_network())));
  EXPECT_EQ(model.producer_name(), "lathe");
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_LE(model.ir_version(), 8);
  const auto& shape = model.graph().output(0).type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 3);
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(2).dim_value(), 3);
  // Three times the batch: not N, and nothing else to call it.
  EXPECT_FALSE(model.graph().output(1).type().tensor_type().shape().dim(0).has_dim_value());
}

TEST(OnnxWriter, RefusesPlacesThatCannotBeWritten) {
  const Network network = small_network();
  EXPECT_EQ(user_error_of([&] { write_onnx(network, "nowhere/x.onnx"); }), "nowhere/x.onnx: cannot be written: No such file or directory");
  EXPECT_EQ(user_error_of([&] { write_onnx(network, testing::TempDir()); }), testing::TempDir() + ": cannot be written: is a folder");
}

TEST(OnnxWriter, ReplacesTheFileAndLeavesNothingElse) {
  const std::string folder = testing::TempDir() + "writer/";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "m.onnx") << "old";
  write_onnx(small_network(), folder + "m.onnx");
  EXPECT_EQ(read_onnx(folder + "m.onnx").nodes.size(), 3u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()), 1);
}

TEST(OnnxWriterDeathTest, FakeQuantizeMustBeLoweredFirst) {
  Network network = small_network();
  network.nodes[0].domain = kLatheDomain;
  EXPECT_DEATH(serialize_onnx(network), "which no other tool knows");
}

}  // namespace
}  // namespace lathe::models

#include "policies/packed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/base/error.h"
#include "models/onnx_writer.h"
#include "network_sketch.h"
#include "policies/packed_constants.h"
#include "policies/packed_tensor.h"
#include "policies/quantize_network.h"
#include "policies/weight_formats.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::kDynamic;
using models::Network;
using models::Tensor;
using models::ValueId;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> unsigned_bytes(const std::vector<std::byte>& bytes) {
  std::vector<int> numbers;
  for (const std::byte byte : bytes) numbers.push_back(std::to_integer<int>(byte));
  return numbers;
}

// By hand: 1, -2, 3 of three bits, the lowest bit first, are 100 011 110.
TEST(PackedTensor, CodesFollowEachOtherFromTheLowestBit) {
  const Tensor tensor = Tensor::from<std::int8_t>({3}, std::vector<std::int8_t>{1, -2, 3});
  const PackedLayout layout{.type = DataType::kInt8, .shape = {3}, .encoding = PackedEncoding::kInt, .bits = 3, .units = {.kept = 3}};
  EXPECT_THAT(unsigned_bytes(pack_tensor(tensor, layout)), ElementsAre(0xF1, 0x00));
  EXPECT_EQ(unpack_tensor(pack_tensor(tensor, layout), layout), tensor);
}

// By hand: 2 of 64 kept at 5 and 40, four low bits (5 and 8), then 13 - 8 bits with (5 >> 4) + 0 and (40 >> 4) + 1 set; 7 and -3 of 4 bits.
TEST(PackedTensor, PositionsAreThoseOfEliasAndFano) {
  std::vector<std::int8_t> levels(64, 0);
  levels[5] = 7;
  levels[40] = -3;
  const Tensor tensor = Tensor::from<std::int8_t>({8, 8}, levels);
  const PackedLayout layout{.type = DataType::kInt8, .shape = {8, 8}, .encoding = PackedEncoding::kInt, .bits = 4, .units = {.kept = 2}};
  ASSERT_EQ(storage_of(layout), WeightStorage::kIndices);
  EXPECT_THAT(unsigned_bytes(pack_tensor(tensor, layout)), ElementsAre(0x85, 0x09, 0xD7));
  EXPECT_EQ(unpack_tensor(pack_tensor(tensor, layout), layout), tensor);
}

// By hand: outputs 0-3 and 4-5 at two inputs; the blocks (0-3, 1) and (4-5, 0) stay, bitmask 0110, each with four codes of two bits.
TEST(PackedTensor, BlocksAreStoredWhole) {
  const Tensor tensor = Tensor::from<std::int8_t>({6, 2}, std::vector<std::int8_t>{0, 1, 0, -1, 0, 0, 0, 1, 1, 0, -1, 0});
  const PackedLayout layout{
      .type = DataType::kInt8, .shape = {6, 2}, .encoding = PackedEncoding::kInt, .bits = 2, .units = {.kept = 2, .size = 4, .axis = 0}};
  ASSERT_EQ(storage_of(layout), WeightStorage::kBitmask);
  EXPECT_THAT(unsigned_bytes(pack_tensor(tensor, layout)), ElementsAre(0x06, 0x4D, 0x0D));
  EXPECT_EQ(unpack_tensor(pack_tensor(tensor, layout), layout), tensor);
}

// Zeros that rounding made are stored with the others, so that the size is the one that was counted.
TEST(PackedTensor, StoresAsManyAsWereCounted) {
  Rng rng(3, "levels");
  for (const std::int64_t kept : {0, 1, 60, 300, 700, 1000}) {
    std::vector<std::int8_t> levels(1000, 0);
    for (std::int64_t i = 0; i < kept; ++i) levels[static_cast<std::size_t>(rng.below(1000))] = static_cast<std::int8_t>(rng.below(3) - 1);
    const Tensor tensor = Tensor::from<std::int8_t>({10, 100}, levels);
    const PackedLayout layout{
        .type = DataType::kInt8, .shape = {10, 100}, .encoding = PackedEncoding::kInt, .bits = 2, .units = {.kept = kept}};
    ASSERT_TRUE(can_pack(tensor, layout));
    EXPECT_EQ(static_cast<std::int64_t>(pack_tensor(tensor, layout).size()), stored_bytes(1000, kept, 2));
    EXPECT_EQ(unpack_tensor(pack_tensor(tensor, layout), layout), tensor) << kept;
  }
}

TEST(PackedTensor, EveryFormatComesBackExactly) {
  Rng rng(4, "values");
  std::vector<float> values(300);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const Tensor tensor = Tensor::from<float>({300}, values);
  const auto check = [&](const Tensor& rounded, PackedEncoding encoding, int bits, std::int64_t bytes) {
    const PackedLayout layout{.shape = {300}, .encoding = encoding, .bits = bits, .units = {.kept = 300}};
    SCOPED_TRACE(to_string(encoding));
    ASSERT_TRUE(can_pack(rounded, layout));
    EXPECT_EQ(bytes_of(layout), bytes);
    EXPECT_EQ(unpack_tensor(pack_tensor(rounded, layout), layout), rounded);
    EXPECT_EQ(can_pack(tensor, layout), bits == 32) << "not rounded to the format";
  };
  check(round_to_format(tensor, "float", 16), PackedEncoding::kFloat16, 16, 600);
  check(round_to_format(tensor, "bfloat", 16), PackedEncoding::kBfloat16, 16, 600);
  check(round_to_format(tensor, "float", 8), PackedEncoding::kFloat8, 8, 4 + 300);
  for (const int bits : {2, 3, 4, 8}) check(round_to_format(tensor, "pow2", bits), PackedEncoding::kPow2, bits, 4 + (300 * bits + 7) / 8);
  check(tensor, PackedEncoding::kFloat32, 32, 1200);
}

// Two convolutions of more than 128 weights, a residual sum, and a head.
Network small_network() {
  NetworkSketch sketch({kDynamic, 8, 6, 6});
  const ValueId first = sketch.unary("relu", "Relu", sketch.conv("first", sketch.input(), 8));
  const ValueId second = sketch.add("add", sketch.conv("second", first, 8), first);
  return sketch.finish({sketch.head(second, 7)});
}

Network delivered_by(const Network& network, const Policy& policy, IntegerTypes types = IntegerTypes::kInt8) {
  const Network sparse = sparsify_by_magnitude(network, policy);
  const ActivationPlan plan = plan_activations(sparse, policy);
  const std::vector<Range> ranges(plan.points.size(), {-1, 6});
  return lower_to_qdq(insert_fake_quantize(sparse, policy, plan, ranges, RangeMethod::kMinMax), types);
}

LayerPolicy layer(const std::string& name, int bits, const std::string& format, double sparsity = 0, const std::string& pattern = "dense") {
  LayerPolicy entry{.name = name, .weight_bits = bits, .weight_format = format, .sparsity = sparsity, .pattern = pattern};
  if (format == "int" && bits <= 8) entry.activation_bits = 8, entry.activation_format = "int";
  return entry;
}

// Integers of every width, granularity and storage; floats of every format.
std::vector<Policy> policies_to_pack() {
  Policy by_tensor{.layers = {layer("first", 5, "int"), layer("second", 7, "int")}};
  for (LayerPolicy& entry : by_tensor.layers) entry.weight_granularity = "tensor";
  return {
      {},
      {.layers = {layer("first", 8, "int"), layer("second", 4, "int"), layer("fc", 8, "int")}},
      {.layers = {layer("first", 2, "int", 0.5, "unstructured"), layer("second", 3, "int", 0.95, "unstructured"), layer("fc", 6, "int")}},
      {.layers = {layer("first", 8, "int", 0.5, "2:4"), layer("second", 16, "int")}},
      {.layers = {layer("first", 4, "int", 0.7, "4x1"), layer("second", 32, "float", 0.9, "4x1"), layer("fc", 3, "int", 0.5, "4x1")}},
      {.layers = {layer("first", 32, "float", 0.9, "unstructured"), layer("second", 16, "float", 0.5, "unstructured")}},
      {.layers = {layer("first", 16, "bfloat"), layer("second", 8, "float"), layer("fc", 4, "pow2")}},
      {.layers = {layer("first", 3, "pow2"), layer("second", 32, "tf32")}},
      by_tensor};
}

TEST(PackedFile, HoldsTheDeliveredFileInTheBytesThatAreCounted) {
  const Network network = small_network();
  int number = 0;
  for (const Policy& policy : policies_to_pack()) {
    for (const IntegerTypes types : {IntegerTypes::kInt8, IntegerTypes::kInt4}) {
      SCOPED_TRACE(number);
      const Network delivered = delivered_by(network, policy, types);
      const PackedFile file = pack_network(delivered, policy);
      EXPECT_EQ(file.payload_bytes, packed_bytes(network, policy));
      EXPECT_EQ(unpack_to_onnx(file.bytes, "small.packed"), models::serialize_onnx(delivered, sparse_initializers_for(policy)));
    }
    ++number;
  }
}

// As MiniLM's table of words: float32 by its type, bfloat16 by its numbers, and so delivered.
TEST(PackedFile, FloatsThatFitHalfTheirWidthAreCountedAndStoredSo) {
  Network network = small_network();
  const ValueId weight = network.nodes[0].inputs[1];
  network.constants[weight] = round_to_format(network.constants.at(weight), "bfloat", 16);
  const std::int64_t elements = network.constants.at(weight).size();
  EXPECT_EQ(packed_bytes(small_network(), {}) - packed_bytes(network, {}), 2 * elements);
  EXPECT_EQ(pack_network(delivered_by(network, {}), {}).payload_bytes, packed_bytes(network, {}));
}

TEST(PackedFile, RefusesAPolicyOfAnotherRun) {
  const Network network = small_network();
  const Policy policy{.layers = {layer("first", 4, "int")}};
  const Network delivered = delivered_by(network, policy);
  for (const Policy& other :
       {Policy{}, Policy{.layers = {layer("first", 2, "int")}}, Policy{.layers = {layer("first", 4, "int", 0.9, "unstructured")}}}) {
    try {
      pack_network(delivered, other);
      ADD_FAILURE();
    } catch (const UserError& error) {
      EXPECT_THAT(error.what(), HasSubstr("first: the delivered file holds integers that the policy's width or sparsity"));
    }
  }
}

// Damage ends in one message, wherever it is.
TEST(PackedFile, DamageIsSaid) {
  const Policy policy = policies_to_pack()[2];
  const std::string sound = pack_network(delivered_by(small_network(), policy), policy).bytes;
  const auto message_of = [](const std::string& bytes) -> std::string {
    try {
      unpack_to_onnx(bytes, "small.packed");
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message_of(sound), "");
  EXPECT_EQ(message_of("text"), "small.packed: is no packed network");
  EXPECT_EQ(message_of(sound.substr(0, sound.size() - 1)), "small.packed: it is cut short");
  std::string flipped = sound;
  flipped[40] = static_cast<char>(~flipped[40]);
  EXPECT_EQ(message_of(flipped), "small.packed: it is damaged");
}

}  // namespace
}  // namespace lathe::policies

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "models/base/error.h"
#include "policies/exporters/exporter.h"
#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"
#include "tests/policies/network_sketch.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::ValueId;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two convolutions and a head; conv1 has 12 channels, of which 7 shall stay.
Network chain() {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId inner = sketch.unary("relu", "Relu", sketch.conv("conv1", sketch.input(), 12));
  return sketch.finish({sketch.head(sketch.conv("conv2", inner, 8), 5)});
}

Policy seven_of_twelve() {
  return {.model_name = "sketch",
          .groups = {{.name = "conv1", .keep_ratio = 7.0 / 12, .channels = 7, .kept = {0, 1, 2, 4, 5, 7, 11}}},
          .layers = {{.name = "conv1", .weight_bits = 4, .weight_format = "int", .activation_bits = 8, .activation_format = "int"},
                     {.name = "conv2", .weight_bits = 16, .weight_format = "float"}}};
}

json exported(const std::string& format) {
  return json::parse(find_exporter(format).write({.policy = seven_of_twelve(), .network = chain()}).bytes);
}

TEST(LayerTable, ChannelsFollowTheGroup) {
  const std::vector<LayerRow> rows = layer_table(chain(), seven_of_twelve());
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].kept_out_channels, 7);
  EXPECT_THAT(rows[0].kept_outputs, ElementsAre(0, 1, 2, 4, 5, 7, 11));
  EXPECT_EQ(rows[1].in_channels, 12);
  EXPECT_EQ(rows[1].kept_in_channels, 7);
  EXPECT_EQ(rows[1].kept_out_channels, 8);
  EXPECT_EQ(rows[0].macs, 64 * 12 * 3 * 9);
  EXPECT_EQ(rows[0].kept_macs, 64 * 7 * 3 * 9);
  EXPECT_EQ(rows[2].widths.weight_bits, 32) << "left out of the policy: float";
}

TEST(LayerTable, ModulesAreFoundByWeightThenByScope) {
  Network network = chain();
  const auto path = [&](const std::string& weight, const std::string& node) {
    network.values[static_cast<std::size_t>(network.nodes[0].inputs[1])].name = weight;
    network.nodes[0].name = node;
    return module_path(network, network.nodes[0]);
  };
  EXPECT_EQ(path("layer1.0.conv1.weight", "Conv_3"), "layer1.0.conv1");
  EXPECT_EQ(path("layers.0.attn.query.weight_t", "MatMul_9"), "layers.0.attn.query");
  EXPECT_EQ(path("onnx::Conv_41", "/layer1/layer1.0/conv1/Conv"), "layer1.0.conv1") << "as torch.onnx names nodes";
  EXPECT_EQ(path("onnx::Conv_41", "/conv1/Conv"), "conv1");
  EXPECT_EQ(path("w", "first"), "first");
}

TEST(Exporters, NamesAreUniqueAndEveryFormatSaysWhatItIs) {
  std::set<std::string> names;
  for (const Exporter* exporter : exporters()) {
    const ExportFormat& format = exporter->format();
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    for (const std::string& text : {format.opened_by, format.tested_with, format.carries}) EXPECT_FALSE(text.empty()) << format.name;
  }
  EXPECT_GE(names.size(), 11u);
}

TEST(Exporters, UnknownFormatNamesTheNearest) {
  try {
    find_exporter("qonx");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown format 'qonx', did you mean 'qonnx'? (lathe export --list shows all)");
  }
}

// Torch-Pruning keeps int(channels * (1 - ratio)), in double precision (its MetaPruner, version 1.6).
TEST(Exporters, PruningRatiosGiveTheCountBackInFloatingPoint) {
  const Network network = chain();
  for (std::int64_t kept = 1; kept < 12; ++kept) {
    Policy policy{.groups = {{.name = "conv1", .keep_ratio = static_cast<double>(kept) / 12, .channels = kept}}};
    const json document = json::parse(find_exporter("torch_pruning").write({.policy = policy, .network = network}).bytes);
    EXPECT_EQ(static_cast<int>(12 * (1 - document["pruning_ratio_dict"]["conv1"].get<double>())), kept);
  }
}

TEST(Exporters, NncfPatternsMatchScopesOfTheModule) {
  const json overrides = exported("nncf")["compression"]["scope_overrides"];
  EXPECT_EQ(exported("nncf")["compression"]["activations"]["bits"], 8);
  EXPECT_EQ(overrides["weights"].size(), 1u);
  EXPECT_EQ(overrides["weights"]["{re}.*\\[conv1\\]/.*"]["bits"], 4);
  EXPECT_EQ(exported("nncf")["compression"]["ignored_scopes"].size(), 2u) << "a float16 layer and one that the policy leaves out";
}

TEST(Exporters, WhatIsLostIsSaid) {
  EXPECT_THAT(losses(seven_of_twelve(), {.channels = true, .integer_weights = true, .widest_activation = 8, .other_formats = true}),
              IsEmpty());
  EXPECT_THAT(losses(seven_of_twelve(), {.integer_weights = true, .widest_activation = 4}),
              ElementsAre(HasSubstr("no word for cut channels"), HasSubstr("1 layer (conv1): the activations' width is left out"),
                          HasSubstr("1 layer (conv2): the weights' number format is left out")));
}

TEST(Exporters, TorchaoRefusesAPolicyWithoutLinearLayers) {
  EXPECT_THROW(exported("torchao"), UserError);
}

TEST(Exporters, CsvQuotesCells) {
  Network network = chain();
  network.nodes[0].name = "a,\"b\"";
  const std::string text = find_exporter("csv").write({.policy = {}, .network = network}).bytes;
  EXPECT_THAT(text, HasSubstr("\r\n\"a,\"\"b\"\"\",conv1,Conv,3,12,3,12,"));
}

}  // namespace
}  // namespace lathe::policies

#include "bench/torch_networks/residual_networks.h"

#include <array>
#include <cmath>
#include <map>
#include <vector>

namespace lathe::torch_networks {
namespace {

struct ResNet {
  std::array<int, 4> blocks;
  bool is_bottleneck;
  std::int64_t groups = 1, base_width = 64;
};

const std::map<std::string, ResNet> kResNets = {
    {"resnet18", {{2, 2, 2, 2}, false}},
    {"resnet34", {{3, 4, 6, 3}, false}},
    {"resnet50", {{3, 4, 6, 3}, true}},
    {"resnet101", {{3, 4, 23, 3}, true}},
    {"resnet152", {{3, 8, 36, 3}, true}},
    {"wide_resnet50_2", {{3, 4, 6, 3}, true, 1, 128}},
    {"wide_resnet101_2", {{3, 4, 23, 3}, true, 1, 128}},
    {"resnext50_32x4d", {{3, 4, 6, 3}, true, 32, 4}},
    {"resnext101_32x8d", {{3, 4, 23, 3}, true, 32, 8}},
};

void shortcut_and_add(const ValueShape& in, std::int64_t stride, NetworkBuilder& builder) {
  const ValueShape out = builder.shape();
  if (in.channels != out.channels || stride != 1) {
    builder.set_shape(in);
    builder.conv_block({.out = out.channels, .stride = stride}, /*has_activation=*/false);
  }
  builder.add();
  builder.activation();
}

void resnet_block(const ResNet& resnet, std::int64_t planes, std::int64_t stride, NetworkBuilder& builder) {
  const ValueShape in = builder.shape();
  if (resnet.is_bottleneck) {
    const std::int64_t middle = builder.scaled(planes * resnet.base_width / 64 * resnet.groups);
    builder.conv_block({.out = middle});
    builder.conv_block({.out = middle, .kernel = 3, .stride = stride, .groups = resnet.groups});
    builder.conv_block({.out = builder.scaled(4 * planes)}, /*has_activation=*/false);
  } else {
    builder.conv_block({.out = builder.scaled(planes), .kernel = 3, .stride = stride});
    builder.conv_block({.out = builder.scaled(planes), .kernel = 3}, /*has_activation=*/false);
  }
  shortcut_and_add(in, stride, builder);
}

void build_resnet(const ResNet& resnet, NetworkBuilder& builder) {
  builder.conv_block({.out = builder.scaled(64), .kernel = 7, .stride = 2});
  builder.pool(3, 2, 1);
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < resnet.blocks[static_cast<std::size_t>(stage)]; ++block) {
      resnet_block(resnet, 64LL << stage, stage > 0 && block == 0 ? 2 : 1, builder);
    }
  }
}

// Widths follow u_j = w0 + wa j, quantized to powers of wm (Radosavovic et al., equations 2 to 4).
struct RegNet {
  double initial_width, slope, multiplier;
  int depth;
  std::int64_t group_width;
};

const std::map<std::string, RegNet> kRegNets = {
    {"regnetx_002", {24, 36.44, 2.49, 13, 8}},  {"regnetx_004", {24, 24.48, 2.54, 22, 16}}, {"regnetx_006", {48, 36.97, 2.24, 16, 24}},
    {"regnetx_008", {56, 35.73, 2.28, 16, 16}}, {"regnetx_016", {80, 34.01, 2.25, 18, 24}}, {"regnetx_032", {88, 26.31, 2.25, 25, 48}},
    {"regnety_002", {24, 36.44, 2.49, 13, 8}},  {"regnety_004", {48, 27.89, 2.09, 16, 8}},  {"regnety_006", {48, 32.54, 2.32, 15, 16}},
    {"regnety_008", {56, 38.84, 2.4, 14, 16}},  {"regnety_016", {48, 20.71, 2.65, 27, 24}}, {"regnety_032", {80, 42.63, 2.66, 21, 24}},
};

// Halves are rounded to even, as Python does: regnety_008 has 128 channels where 136 / 16 is 8.5.
std::vector<std::int64_t> regnet_widths(const RegNet& regnet) {
  std::vector<std::int64_t> widths;
  for (int block = 0; block < regnet.depth; ++block) {
    const double continuous = regnet.initial_width + regnet.slope * block;
    const double exponent = std::nearbyint(std::log(continuous / regnet.initial_width) / std::log(regnet.multiplier));
    const double quantized = std::nearbyint(regnet.initial_width * std::pow(regnet.multiplier, exponent) / 8) * 8;
    const auto group = static_cast<double>(regnet.group_width);
    widths.push_back(static_cast<std::int64_t>(std::nearbyint(quantized / group) * group));
  }
  return widths;
}

void build_regnet(const RegNet& regnet, bool has_squeeze_excite, NetworkBuilder& builder) {
  builder.conv_block({.out = 32, .kernel = 3, .stride = 2});
  std::int64_t stage_width = 0;
  for (const std::int64_t width : regnet_widths(regnet)) {
    const ValueShape in = builder.shape();
    const std::int64_t stride = width == stage_width ? 1 : 2;
    stage_width = width;
    builder.conv_block({.out = width});
    builder.conv_block({.out = width, .kernel = 3, .stride = stride, .groups = width / regnet.group_width});
    if (has_squeeze_excite) builder.squeeze_excite(static_cast<std::int64_t>(std::lround(static_cast<double>(in.channels) * 0.25)));
    builder.conv_block({.out = width}, /*has_activation=*/false);
    shortcut_and_add(in, stride, builder);
  }
}

}  // namespace

bool build_residual_network(const std::string& name, NetworkBuilder& builder) {
  if (const auto resnet = kResNets.find(name); resnet != kResNets.end()) {
    build_resnet(resnet->second, builder);
  } else if (const auto regnet = kRegNets.find(name); regnet != kRegNets.end()) {
    build_regnet(regnet->second, name.starts_with("regnety"), builder);
  } else {
    return false;
  }
  builder.global_pool();
  builder.linear(1000);
  return true;
}

}  // namespace lathe::torch_networks

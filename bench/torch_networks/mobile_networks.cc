#include "bench/torch_networks/mobile_networks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

namespace lathe::torch_networks {
namespace {

// A stage of blocks; expansion 0: depthwise separable, without an expanding convolution.
struct Stage {
  int repeats;
  std::int64_t kernel, stride;
  double expansion;
  std::int64_t channels;
  bool has_squeeze_excite = false;
};

struct MobileNet {
  std::vector<Stage> stages;
  std::int64_t stem, last_convolution, features;
  bool squeezes_expanded = false;  // squeeze ratio relative to the expanded channels, rounded to 8 (MobileNetV3)
  bool pools_before_features = false;
  double width = 1, depth = 1;
  bool keeps_stem_and_head = false;
};

const std::vector<Stage> kMobileNetV2 = {{1, 3, 1, 0, 16}, {2, 3, 2, 6, 24},  {3, 3, 2, 6, 32}, {4, 3, 2, 6, 64},
                                         {3, 3, 1, 6, 96}, {3, 3, 2, 6, 160}, {1, 3, 1, 6, 320}};
const std::vector<Stage> kMnasNet = {{1, 3, 1, 0, 16}, {3, 3, 2, 3, 24},  {3, 5, 2, 3, 40}, {3, 5, 2, 6, 80},
                                     {2, 3, 1, 6, 96}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};
const std::vector<Stage> kEfficientNetLite = {{1, 3, 1, 0, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                              {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};
const std::vector<Stage> kMobileNetV3Large = {{1, 3, 1, 0, 16},       {1, 3, 2, 4, 24},        {1, 3, 1, 3, 24},
                                              {3, 5, 2, 3, 40, true}, {1, 3, 2, 6, 80},        {1, 3, 1, 2.5, 80},
                                              {2, 3, 1, 2.3, 80},     {2, 3, 1, 6, 112, true}, {3, 5, 2, 6, 160, true}};
const std::vector<Stage> kMobileNetV3Small = {{1, 3, 2, 0, 16, true}, {1, 3, 2, 4.5, 24},     {1, 3, 1, 3.67, 24},   {1, 5, 2, 4, 40, true},
                                              {2, 5, 1, 6, 40, true}, {2, 5, 1, 3, 48, true}, {3, 5, 2, 6, 96, true}};

std::vector<Stage> with_squeeze_excite(std::vector<Stage> stages) {
  for (Stage& stage : stages) stage.has_squeeze_excite = true;
  return stages;
}

// Nearest multiple of 8 that is not more than 10 % below (the rule of all these networks' own code).
std::int64_t round_channels(double channels) {
  const auto rounded = std::max<std::int64_t>(8, static_cast<std::int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + 8 : rounded;
}

void mobile_block(const MobileNet& net, const Stage& stage, std::int64_t out, std::int64_t stride, NetworkBuilder& builder) {
  const ValueShape in = builder.shape();
  if (stage.expansion > 0) builder.conv_block({.out = round_channels(static_cast<double>(in.channels) * stage.expansion)});
  const std::int64_t middle = builder.shape().channels;
  builder.conv_block({.out = middle, .kernel = stage.kernel, .stride = stride, .groups = middle});
  if (stage.has_squeeze_excite) {
    builder.squeeze_excite(net.squeezes_expanded ? round_channels(static_cast<double>(middle) * 0.25)
                                                 : static_cast<std::int64_t>(std::lround(static_cast<double>(in.channels) * 0.25)));
  }
  builder.conv_block({.out = out}, /*has_activation=*/false);
  if (stride == 1 && in.channels == out) builder.add();
}

void build_mobile_net(const MobileNet& net, NetworkBuilder& builder) {
  const auto wide = [&](std::int64_t channels) { return round_channels(static_cast<double>(channels) * net.width); };
  builder.conv_block({.out = net.keeps_stem_and_head ? net.stem : wide(net.stem), .kernel = 3, .stride = 2});
  for (std::size_t index = 0; index < net.stages.size(); ++index) {
    const Stage& stage = net.stages[index];
    const bool keeps_depth = net.keeps_stem_and_head && (index == 0 || index + 1 == net.stages.size());
    const int repeats = keeps_depth ? stage.repeats : static_cast<int>(std::ceil(stage.repeats * net.depth));
    for (int block = 0; block < repeats; ++block) mobile_block(net, stage, wide(stage.channels), block == 0 ? stage.stride : 1, builder);
  }
  if (net.last_convolution > 0) builder.conv_block({.out = wide(net.last_convolution)});
  if (net.pools_before_features) {
    builder.global_pool();
    builder.conv({.out = net.features, .has_bias = true});
    builder.activation();
  } else {
    builder.conv_block({.out = net.features});
    builder.global_pool();
  }
  builder.linear(1000);
}

struct Scaling {
  double width, depth;
};

// width and depth of EfficientNet's compound scaling, by the number in the name.
constexpr std::array<Scaling, 5> kEfficientNetScaling = {{{1, 1}, {1, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}}};

std::optional<MobileNet> efficient_net(const std::string& name) {
  const bool is_lite = name.starts_with("efficientnet_lite");
  if (!is_lite && !name.starts_with("efficientnet_b")) return std::nullopt;
  const std::size_t level = static_cast<std::size_t>(name.back() - '0');
  if (level >= kEfficientNetScaling.size()) return std::nullopt;
  const auto [width, depth] = kEfficientNetScaling[level];
  MobileNet net{.stages = is_lite ? kEfficientNetLite : with_squeeze_excite(kEfficientNetLite),
                .stem = 32,
                .last_convolution = 0,
                .features = is_lite ? 1280 : round_channels(1280 * width)};
  net.width = width;
  net.depth = depth;
  net.keeps_stem_and_head = is_lite;
  return net;
}

std::optional<MobileNet> mobile_net(const std::string& name) {
  static const std::map<std::string, Scaling> v2 = {
      {"mobilenetv2_035", {0.35, 1}}, {"mobilenetv2_050", {0.5, 1}}, {"mobilenetv2_075", {0.75, 1}},   {"mobilenetv2_100", {1, 1}},
      {"mobilenet_v2", {1, 1}},       {"mobilenetv2_140", {1.4, 1}}, {"mobilenetv2_110d", {1.1, 1.2}}, {"mobilenetv2_120d", {1.2, 1.4}}};
  static const std::map<std::string, double> mnas = {{"mnasnet_050", 0.5}, {"mnasnet_075", 0.75}, {"mnasnet_100", 1}, {"mnasnet_140", 1.4},
                                                     {"mnasnet0_5", 0.5},  {"mnasnet0_75", 0.75}, {"mnasnet1_0", 1},  {"mnasnet1_3", 1.3}};
  static const std::map<std::string, double> v3 = {
      {"mobilenetv3_large_075", 0.75}, {"mobilenetv3_large_100", 1}, {"mobilenetv3_small_075", 0.75}, {"mobilenetv3_small_100", 1}};
  if (const auto found = v2.find(name); found != v2.end()) {
    const auto [width, depth] = found->second;
    MobileNet net{
        .stages = kMobileNetV2, .stem = 32, .last_convolution = 0, .features = std::max<std::int64_t>(1280, round_channels(1280 * width))};
    net.width = width;
    net.depth = depth;
    net.keeps_stem_and_head = name.ends_with("d");
    if (net.keeps_stem_and_head) net.features = 1280;
    return net;
  }
  if (const auto found = mnas.find(name); found != mnas.end()) {
    MobileNet net{.stages = kMnasNet, .stem = 32, .last_convolution = 0, .features = 1280};
    net.width = found->second;
    return net;
  }
  if (const auto found = v3.find(name); found != v3.end()) {
    const bool is_small = name.find("small") != std::string::npos;
    MobileNet net{.stages = is_small ? kMobileNetV3Small : kMobileNetV3Large,
                  .stem = 16,
                  .last_convolution = is_small ? 576 : 960,
                  .features = is_small ? 1024 : 1280};
    net.squeezes_expanded = net.pools_before_features = true;
    net.width = found->second;
    return net;
  }
  return std::nullopt;
}

// A unit's second branch; the first one passes through (stride 1, after a split) or is convolved too (stride 2).
void shuffle_unit(std::int64_t out, std::int64_t stride, NetworkBuilder& builder) {
  const ValueShape in = builder.shape();
  const std::int64_t branch = out / 2;
  if (stride == 2) {
    builder.conv_block({.out = in.channels, .kernel = 3, .stride = 2, .groups = in.channels}, /*has_activation=*/false);
    builder.conv_block({.out = branch});
    builder.set_shape(in);
  } else {
    builder.set_shape({branch, in.height, in.width});
  }
  builder.conv_block({.out = branch});
  builder.conv_block({.out = branch, .kernel = 3, .stride = stride, .groups = branch}, /*has_activation=*/false);
  builder.conv_block({.out = branch});
  builder.concat(out);
  builder.copy();  // the shuffle of channels
}

bool build_shuffle_net(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, std::array<std::int64_t, 4>> widths = {{"shufflenet_v2_x0_5", {48, 96, 192, 1024}},
                                                                            {"shufflenet_v2_x1_0", {116, 232, 464, 1024}},
                                                                            {"shufflenet_v2_x1_5", {176, 352, 704, 1024}},
                                                                            {"shufflenet_v2_x2_0", {244, 488, 976, 2048}}};
  const auto found = widths.find(name);
  if (found == widths.end()) return false;
  builder.conv_block({.out = 24, .kernel = 3, .stride = 2});
  builder.pool(3, 2, 1);
  constexpr std::array<int, 3> kRepeats = {4, 8, 4};
  for (std::size_t stage = 0; stage < kRepeats.size(); ++stage) {
    for (int unit = 0; unit < kRepeats[stage]; ++unit) shuffle_unit(found->second[stage], unit == 0 ? 2 : 1, builder);
  }
  builder.conv_block({.out = found->second[3]});
  builder.global_pool();
  builder.linear(1000);
  return true;
}

}  // namespace

bool build_mobile_network(const std::string& name, NetworkBuilder& builder) {
  if (build_shuffle_net(name, builder)) return true;
  std::optional<MobileNet> net = efficient_net(name);
  if (!net) net = mobile_net(name);
  if (!net) return false;
  build_mobile_net(*net, builder);
  return true;
}

}  // namespace lathe::torch_networks

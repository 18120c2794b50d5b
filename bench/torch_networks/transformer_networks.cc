#include "bench/torch_networks/transformer_networks.h"

#include <array>
#include <map>

namespace lathe::torch_networks {
namespace {

void perceptron(std::int64_t hidden, NetworkBuilder& builder) {
  const std::int64_t out = builder.shape().channels;
  builder.linear(hidden);
  builder.activation();
  builder.linear(out);
}

void vit_block(std::int64_t width, NetworkBuilder& builder) {
  constexpr std::int64_t kHeadChannels = 64;
  builder.layer_norm();
  builder.linear(3 * width);
  builder.attention(width / kHeadChannels, kHeadChannels);
  builder.linear(width);
  builder.add();
  builder.layer_norm();
  perceptron(4 * width, builder);
  builder.add();
}

bool build_vit(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, std::int64_t> widths = {{"tiny", 192}, {"small", 384}, {"base", 768}};
  if (!name.starts_with("vit_") && !name.starts_with("deit_")) return false;
  const std::size_t first = name.find('_') + 1, second = name.find('_', first);
  const auto width = widths.find(name.substr(first, second - first));
  const std::string rest = second == std::string::npos ? "" : name.substr(second);
  if (width == widths.end() || (rest != "_patch16_224" && rest != "_patch32_224")) return false;
  const std::int64_t patch = rest == "_patch16_224" ? 16 : 32;
  builder.conv({.out = width->second, .kernel = patch, .stride = patch, .has_bias = true, .padding = 0});
  const std::int64_t tokens = builder.shape().height * builder.shape().width + 1;
  builder.set_shape({width->second, tokens, 1});
  builder.copy();  // the class token in front
  builder.add();   // positions
  builder.count_parameters(width->second * (tokens + 1));
  for (int block = 0; block < 12; ++block) vit_block(width->second, builder);
  builder.layer_norm();
  builder.set_shape({width->second, 1, 1});
  builder.linear(1000);
  return true;
}

struct Mixer {
  std::int64_t width, blocks, patch;
};

void mixer_block(NetworkBuilder& builder) {
  const ValueShape tokens_by_features = builder.shape();
  builder.layer_norm();
  builder.copy();  // transposed, so that the product mixes tokens
  builder.set_shape({tokens_by_features.height, tokens_by_features.channels, 1});
  perceptron(tokens_by_features.channels / 2, builder);
  builder.set_shape(tokens_by_features);
  builder.add();
  builder.layer_norm();
  perceptron(4 * tokens_by_features.channels, builder);
  builder.add();
}

bool build_mixer(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, Mixer> mixers = {
      {"mixer_s32_224", {512, 8, 32}}, {"mixer_s16_224", {512, 8, 16}}, {"mixer_b32_224", {768, 12, 32}}, {"mixer_b16_224", {768, 12, 16}}};
  const auto found = mixers.find(name);
  if (found == mixers.end()) return false;
  const Mixer& mixer = found->second;
  builder.conv({.out = mixer.width, .kernel = mixer.patch, .stride = mixer.patch, .has_bias = true, .padding = 0});
  builder.set_shape({mixer.width, builder.shape().height * builder.shape().width, 1});
  for (std::int64_t block = 0; block < mixer.blocks; ++block) mixer_block(builder);
  builder.layer_norm();
  builder.global_pool();
  builder.linear(1000);
  return true;
}

struct ConvNext {
  std::array<int, 4> depths;
  std::int64_t width;
  bool mixes_by_convolution = false;  // 1x1 convolutions in place of linear layers: no permutation (atto to nano)
};

void convnext_block(const ConvNext& net, NetworkBuilder& builder) {
  const std::int64_t channels = builder.shape().channels;
  builder.conv({.out = channels, .kernel = 7, .groups = channels, .has_bias = true});
  builder.layer_norm();
  if (net.mixes_by_convolution) {
    builder.conv({.out = 4 * channels, .has_bias = true});
    builder.activation();
    builder.conv({.out = channels, .has_bias = true});
  } else {
    perceptron(4 * channels, builder);
  }
  builder.scale_channels();
  builder.count_parameters(channels);
  builder.add();
}

bool build_convnext(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, ConvNext> nets = {
      {"convnext_atto", {{2, 2, 6, 2}, 40, true}}, {"convnext_femto", {{2, 2, 6, 2}, 48, true}},
      {"convnext_pico", {{2, 2, 6, 2}, 64, true}}, {"convnext_nano", {{2, 2, 8, 2}, 80, true}},
      {"convnext_tiny", {{3, 3, 9, 3}, 96}},       {"convnext_small", {{3, 3, 27, 3}, 96}},
      {"convnext_base", {{3, 3, 27, 3}, 128}}};
  const auto found = nets.find(name);
  if (found == nets.end()) return false;
  const ConvNext& net = found->second;
  for (std::size_t stage = 0; stage < net.depths.size(); ++stage) {
    const std::int64_t patch = stage == 0 ? 4 : 2;
    if (stage > 0) builder.layer_norm();
    builder.conv({.out = net.width << stage, .kernel = patch, .stride = patch, .has_bias = true, .padding = 0});
    if (stage == 0) builder.layer_norm();
    for (int block = 0; block < net.depths[stage]; ++block) convnext_block(net, builder);
  }
  builder.global_pool();
  builder.layer_norm();
  builder.linear(1000);
  return true;
}

}  // namespace

bool build_transformer_network(const std::string& name, NetworkBuilder& builder) {
  return build_vit(name, builder) || build_mixer(name, builder) || build_convnext(name, builder);
}

}  // namespace lathe::torch_networks

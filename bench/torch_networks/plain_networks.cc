#include "bench/torch_networks/plain_networks.h"

#include <array>
#include <map>

namespace lathe::torch_networks {
namespace {

void classifier_of_three_layers(std::int64_t hidden, NetworkBuilder& builder) {
  const ValueShape in = builder.shape();
  builder.set_shape({in.channels * in.height * in.width, 1, 1});
  builder.linear(hidden);
  builder.activation();
  builder.linear(hidden);
  builder.activation();
  builder.linear(1000);
}

bool build_vgg(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, std::array<int, 5>> depths = {
      {"vgg11", {1, 1, 2, 2, 2}}, {"vgg13", {2, 2, 2, 2, 2}}, {"vgg16", {2, 2, 3, 3, 3}}, {"vgg19", {2, 2, 4, 4, 4}}};
  const bool has_norm = name.ends_with("_bn");
  const auto found = depths.find(has_norm ? name.substr(0, name.size() - 3) : name);
  if (found == depths.end()) return false;
  constexpr std::array<std::int64_t, 5> kChannels = {64, 128, 256, 512, 512};
  for (std::size_t stage = 0; stage < kChannels.size(); ++stage) {
    for (int layer = 0; layer < found->second[stage]; ++layer) {
      builder.conv({.out = kChannels[stage], .kernel = 3, .has_bias = true});
      if (has_norm) builder.batch_norm();
      builder.activation();
    }
    builder.pool(2, 2);
  }
  classifier_of_three_layers(4096, builder);
  return true;
}

void build_alexnet(NetworkBuilder& builder) {
  const auto layer = [&](const Convolution& convolution) {
    builder.conv(convolution);
    builder.activation();
  };
  layer({.out = 64, .kernel = 11, .stride = 4, .has_bias = true, .padding = 2});
  builder.pool(3, 2);
  layer({.out = 192, .kernel = 5, .has_bias = true});
  builder.pool(3, 2);
  layer({.out = 384, .kernel = 3, .has_bias = true});
  layer({.out = 256, .kernel = 3, .has_bias = true});
  layer({.out = 256, .kernel = 3, .has_bias = true});
  builder.pool(3, 2);
  classifier_of_three_layers(4096, builder);
}

void fire(std::int64_t squeeze, std::int64_t expand, NetworkBuilder& builder) {
  builder.conv({.out = squeeze, .has_bias = true});
  builder.activation();
  const ValueShape squeezed = builder.shape();
  for (const std::int64_t kernel : {1, 3}) {
    builder.set_shape(squeezed);
    builder.conv({.out = expand, .kernel = kernel, .has_bias = true});
    builder.activation();
  }
  builder.concat(2 * expand);
}

bool build_squeezenet(const std::string& name, NetworkBuilder& builder) {
  if (name != "squeezenet1_0" && name != "squeezenet1_1") return false;
  const bool is_first = name == "squeezenet1_0";
  builder.conv({.out = is_first ? 96 : 64, .kernel = is_first ? 7 : 3, .stride = 2, .has_bias = true, .padding = 0});
  builder.activation();
  constexpr std::array<std::array<std::int64_t, 2>, 8> kFires = {
      {{16, 64}, {16, 64}, {32, 128}, {32, 128}, {48, 192}, {48, 192}, {64, 256}, {64, 256}}};
  for (std::size_t i = 0; i < kFires.size(); ++i) {
    const bool pools = is_first ? i == 0 || i == 3 || i == 7 : i == 0 || i == 2 || i == 4;
    if (pools) builder.pool(3, 2, 0, /*ceil_mode=*/true);
    fire(kFires[i][0], kFires[i][1], builder);
  }
  builder.conv({.out = 1000, .has_bias = true});
  builder.activation();
  builder.global_pool();
  return true;
}

struct DenseNet {
  std::array<int, 4> layers;
  std::int64_t growth, stem;
};

bool build_densenet(const std::string& name, NetworkBuilder& builder) {
  static const std::map<std::string, DenseNet> nets = {{"densenet121", {{6, 12, 24, 16}, 32, 64}},
                                                       {"densenet161", {{6, 12, 36, 24}, 48, 96}},
                                                       {"densenet169", {{6, 12, 32, 32}, 32, 64}},
                                                       {"densenet201", {{6, 12, 48, 32}, 32, 64}}};
  const auto found = nets.find(name);
  if (found == nets.end()) return false;
  const DenseNet& net = found->second;
  builder.conv_block({.out = net.stem, .kernel = 7, .stride = 2});
  builder.pool(3, 2, 1);
  std::int64_t channels = net.stem;
  for (std::size_t block = 0; block < net.layers.size(); ++block) {
    for (int layer = 0; layer < net.layers[block]; ++layer) {
      if (layer > 0) builder.concat(channels);
      builder.batch_norm();
      builder.activation();
      builder.conv_block({.out = 4 * net.growth});
      builder.conv({.out = net.growth, .kernel = 3});
      channels += net.growth;
    }
    builder.concat(channels);
    builder.batch_norm();
    builder.activation();
    if (block + 1 == net.layers.size()) break;
    channels /= 2;
    builder.conv({.out = channels});
    builder.pool(2, 2);
  }
  builder.global_pool();
  builder.linear(1000);
  return true;
}

}  // namespace

bool build_plain_network(const std::string& name, NetworkBuilder& builder) {
  if (name == "alexnet") {
    build_alexnet(builder);
    return true;
  }
  return build_vgg(name, builder) || build_squeezenet(name, builder) || build_densenet(name, builder);
}

}  // namespace lathe::torch_networks

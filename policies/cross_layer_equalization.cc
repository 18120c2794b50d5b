#include "policies/cross_layer_equalization.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/check.h"
#include "models/operators.h"
#include "policies/bias_alignment.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

constexpr int kMostSweeps = 20;
constexpr double kTolerance = 0.01;  // sweeps end when no factor is further from 1

// The channel that each element of a layer's weight makes or reads.
class WeightChannels {
 public:
  WeightChannels(const Network& network, const Node& layer) : shape_(network.value(layer.inputs[1]).shape) {
    if (layer.op == "Conv") {
      groups_ = models::conv_attributes(network, layer).group;
      for (std::size_t axis = 2; axis < shape_.size(); ++axis) window_ *= shape_[axis];
    } else {
      has_outputs_first_ = models::gemm_attributes(layer).transpose_b;
    }
  }
  std::int64_t outputs() const { return shape_[has_outputs_first_ ? 0 : 1]; }
  std::int64_t inputs() const { return shape_[has_outputs_first_ ? 1 : 0] * groups_; }
  std::int64_t output_of(std::int64_t element) const { return has_outputs_first_ ? element / window_ / shape_[1] : element % shape_[1]; }
  std::int64_t input_of(std::int64_t element) const {
    if (!has_outputs_first_) return element / shape_[1];
    return output_of(element) / (shape_[0] / groups_) * shape_[1] + element / window_ % shape_[1];
  }

 private:
  models::Shape shape_;
  std::int64_t groups_ = 1, window_ = 1;
  bool has_outputs_first_ = true;
};

struct Pair {
  int first, second;                   // nodes
  ValueId clipped = models::kNoValue;  // what a Clip between them gives
  double limit = std::numeric_limits<double>::infinity();
};

class Equalizer {
 public:
  explicit Equalizer(Network network) : network_(std::move(network)), consumers_(models::consumers(network_)) {
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      if (Pair pair{.first = n}; is_layer(node(n)) && has_plain_bias(node(n)) && find_second(pair)) pairs_.push_back(pair);
    }
  }

  const std::vector<Pair>& pairs() const { return pairs_; }

  Network run(ChannelMaxima maxima) && {
    double furthest = std::numeric_limits<double>::infinity();
    for (int sweep = 0; sweep < kMostSweeps && furthest > kTolerance; ++sweep) {
      furthest = 0;
      for (const Pair& pair : pairs_) {
        if (pair.clipped != models::kNoValue && !maxima.contains(pair.clipped)) continue;
        for (const double s : equalize(pair, maxima)) furthest = std::max(furthest, std::abs(s - 1));
      }
    }
    return std::move(network_);
  }

 private:
  const Node& node(int index) const { return network_.nodes[static_cast<std::size_t>(index)]; }
  int only_reader(ValueId id) const {
    const auto& readers = consumers_[static_cast<std::size_t>(id)];
    const bool is_output = std::find(network_.outputs.begin(), network_.outputs.end(), id) != network_.outputs.end();
    return readers.size() == 1 && !is_output ? readers[0] : -1;
  }

  bool is_layer(const Node& layer) const {
    if (!layer.domain.empty() || (layer.op != "Conv" && layer.op != "Gemm") || !network_.is_constant(layer.inputs[1])) return false;
    if (layer.op == "Gemm" && (models::gemm_attributes(layer).transpose_a || models::gemm_attributes(layer).alpha != 1)) return false;
    return consumers_[static_cast<std::size_t>(layer.inputs[1])].size() == 1;
  }
  bool has_plain_bias(const Node& layer) const {
    if (layer.inputs.size() < 3 || layer.inputs[2] == models::kNoValue) return true;
    return plain_bias(network_, layer) != nullptr && consumers_[static_cast<std::size_t>(layer.inputs[2])].size() == 1;
  }

  // Positively homogeneous, channel by channel.
  bool may_lie_between(const Node& between, Pair& pair) const {
    if (between.op == "Clip") return pair.clipped == models::kNoValue && is_clip_from_zero(between, pair);
    if (between.op == "Pad") {
      return models::string_attribute(between, "mode", "constant") == "constant" &&
             (between.inputs.size() < 3 || between.inputs[2] == models::kNoValue) && keeps_channels(between);
    }
    static const std::vector<std::string> kOthers{"Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten"};
    return std::find(kOthers.begin(), kOthers.end(), between.op) != kOthers.end() && keeps_channels(between);
  }
  bool keeps_channels(const Node& between) const {
    const models::Shape &before = network_.value(between.inputs[0]).shape, &after = network_.value(between.outputs[0]).shape;
    return before.size() > 1 && after.size() > 1 && before[1] == after[1];
  }
  bool is_clip_from_zero(const Node& clip, Pair& pair) const {
    const auto bound = [&](std::size_t input) -> const Tensor* {
      if (clip.inputs.size() <= input || clip.inputs[input] == models::kNoValue) return nullptr;
      const auto found = network_.constants.find(clip.inputs[input]);
      return found == network_.constants.end() ? nullptr : &found->second;
    };
    if (bound(1) == nullptr || bound(2) == nullptr || bound(1)->to_floats().at(0) != 0) return false;
    pair.clipped = clip.outputs[0];
    pair.limit = bound(2)->to_floats().at(0);
    return true;
  }

  bool find_second(Pair& pair) const {
    for (int n = only_reader(node(pair.first).outputs[0]); n >= 0; n = only_reader(node(n).outputs[0])) {
      if (is_layer(node(n)) && node(n).inputs[0] != models::kNoValue) {
        pair.second = n;
        return WeightChannels(network_, node(pair.first)).outputs() == WeightChannels(network_, node(n)).inputs();
      }
      if (!node(n).domain.empty() || !may_lie_between(node(n), pair)) return false;
    }
    return false;
  }

  // The factors that were applied, one a channel.
  std::vector<double> equalize(const Pair& pair, ChannelMaxima& maxima) {
    const Node &first = node(pair.first), &second = node(pair.second);
    const WeightChannels made(network_, first), read(network_, second);
    const auto outputs_of = [&](std::int64_t element) { return made.output_of(element); };
    const auto inputs_of = [&](std::int64_t element) { return read.input_of(element); };
    const auto channels = static_cast<std::size_t>(made.outputs());
    const std::vector<double> r1 = ranges(first.inputs[1], channels, outputs_of), r2 = ranges(second.inputs[1], channels, inputs_of);
    std::vector<double> s(channels, 1.0), inverse(channels, 1.0);
    for (std::size_t i = 0; i < channels; ++i) {
      if (r1[i] > 0 && r2[i] > 0) s[i] = std::sqrt(r1[i] / r2[i]);
      if (pair.clipped != models::kNoValue) s[i] = within_limit(s[i], maxima.at(pair.clipped).at(i), pair.limit);
      inverse[i] = 1 / s[i];
    }
    scale(first.inputs[1], inverse, outputs_of);
    if (first.inputs.size() > 2 && first.inputs[2] != models::kNoValue) scale(first.inputs[2], inverse, [](std::int64_t i) { return i; });
    scale(second.inputs[1], s, inputs_of);
    if (pair.clipped != models::kNoValue) {
      for (std::size_t i = 0; i < channels; ++i) maxima.at(pair.clipped)[i] *= static_cast<float>(inverse[i]);
    }
    return s;
  }

  static double within_limit(double s, double largest, double limit) {
    // What calibration rows show is not the most that other rows reach: a tenth of the range is left to them.
    constexpr double kShare = 0.9;
    return largest >= kShare * limit ? 1.0 : std::max(s, largest / (kShare * limit));
  }

  template <typename ChannelOf>
  std::vector<double> ranges(ValueId weight, std::size_t channels, ChannelOf channel_of) const {
    std::vector<double> largest(channels, 0.0);
    const auto values = network_.constants.at(weight).values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      double& range = largest[static_cast<std::size_t>(channel_of(static_cast<std::int64_t>(i)))];
      range = std::max(range, std::abs(static_cast<double>(values[i])));
    }
    return largest;
  }

  template <typename ChannelOf>
  void scale(ValueId constant, const std::vector<double>& factors, ChannelOf channel_of) {
    Tensor& tensor = network_.constants.at(constant);
    std::vector<float> values = tensor.to_floats();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double factor = factors[static_cast<std::size_t>(channel_of(static_cast<std::int64_t>(i)))];
      values[i] = static_cast<float>(values[i] * factor);
    }
    tensor = Tensor::from<float>(tensor.shape(), values);
  }

  Network network_;
  std::vector<std::vector<int>> consumers_;
  std::vector<Pair> pairs_;
};

}  // namespace

std::vector<ValueId> clipped_between_layers(const Network& network) {
  std::vector<ValueId> clipped;
  const Equalizer equalizer(network);
  for (const Pair& pair : equalizer.pairs()) {
    if (pair.clipped != models::kNoValue) clipped.push_back(pair.clipped);
  }
  return clipped;
}

Network equalize_across_layers(Network network, ChannelMaxima maxima) {
  return Equalizer(std::move(network)).run(std::move(maxima));
}

}  // namespace lathe::policies

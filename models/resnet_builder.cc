#include "models/resnet_builder.h"

#include <algorithm>
#include <cmath>

#include "models/base/error.h"
#include "models/base/rng.h"

namespace lathe::models {
namespace {

constexpr float kBatchNormEpsilon = 1e-5F;
constexpr std::int64_t kMaxExtent = 4096;  // guards against typing errors, far above any use

// Appends operators to a network; keeps track of the shape of what they make.
class Builder {
 public:
  explicit Builder(const ResNetOptions& options) : seed_(options.seed) {
    network_.name = options.name;
    network_.opset = 13;
    network_.inputs = {network_.add_value({"input", DataType::kFloat32, {kDynamic, options.in_channels, options.height, options.width}})};
  }

  ValueId input() const { return network_.inputs[0]; }

  ValueId conv_bn(ValueId x, const std::string& name, std::int64_t out_channels, std::int64_t kernel, std::int64_t stride) {
    const Shape in = network_.value(x).shape;
    const std::int64_t pad = kernel / 2;
    const auto extent = [&](std::int64_t size) { return (size + 2 * pad - kernel) / stride + 1; };
    const Shape out{kDynamic, out_channels, extent(in[2]), extent(in[3])};
    const double stddev = std::sqrt(2.0 / static_cast<double>(out_channels * kernel * kernel));
    const ValueId weight = normal_constant(name + ".weight", {out_channels, in[1], kernel, kernel}, stddev);
    const ValueId y = add_node(name, "Conv", {x, weight}, out,
                               {{"kernel_shape", ints({kernel, kernel})},
                                {"strides", ints({stride, stride})},
                                {"pads", ints({pad, pad, pad, pad})},
                                {"dilations", ints({1, 1})},
                                {"group", std::int64_t{1}}});
    const std::string bn = name + ".bn";
    const auto constant = [&](const std::string& part, float value) {
      return network_.add_constant(bn + part,
                                   Tensor::from<float>({out_channels}, std::vector<float>(static_cast<std::size_t>(out_channels), value)));
    };
    const ValueId scale = constant(".scale", 1), bias = constant(".bias", 0), mean = constant(".mean", 0), variance = constant(".var", 1);
    return add_node(bn, "BatchNormalization", {y, scale, bias, mean, variance}, out, {{"epsilon", kBatchNormEpsilon}});
  }

  ValueId relu(ValueId x, const std::string& name) { return add_node(name, "Relu", {x}, network_.value(x).shape, {}); }

  // relu(bn(conv(relu(bn(conv(x))))) + shortcut(x)), shortcut the identity where the shape stays.
  ValueId block(ValueId x, const std::string& name, std::int64_t channels, std::int64_t stride) {
    ValueId y = relu(conv_bn(x, name + ".conv1", channels, 3, stride), name + ".relu1");
    y = conv_bn(y, name + ".conv2", channels, 3, 1);
    const bool keeps_shape = stride == 1 && network_.value(x).shape[1] == channels;
    const ValueId shortcut = keeps_shape ? x : conv_bn(x, name + ".shortcut", channels, 1, stride);
    const ValueId sum = add_node(name + ".add", "Add", {y, shortcut}, network_.value(y).shape, {});
    return relu(sum, name + ".relu2");
  }

  Network finish_detector(ValueId x, std::int64_t classes) {
    constexpr std::int64_t kBox = 5;  // x, y, w, h, objectness
    constexpr double kPrior = 0.01;   // of an object in a cell
    const Shape in = network_.value(x).shape;
    x = relu(conv_bn(x, "neck", in[1], 3, 1), "neck.relu");
    const ValueId weight = normal_constant("head.weight", {kBox + classes, in[1], 1, 1}, 0.01);
    std::vector<float> biases(static_cast<std::size_t>(kBox + classes), 0.0F);
    biases[kBox - 1] = static_cast<float>(std::log(kPrior / (1 - kPrior)));
    const ValueId bias = network_.add_constant("head.bias", Tensor::from<float>({kBox + classes}, biases));
    const ValueId head = add_node("head", "Conv", {x, weight, bias}, {kDynamic, kBox + classes, in[2], in[3]},
                                  {{"kernel_shape", ints({1, 1})},
                                   {"strides", ints({1, 1})},
                                   {"pads", ints({0, 0, 0, 0})},
                                   {"dilations", ints({1, 1})},
                                   {"group", std::int64_t{1}}});
    network_.values[static_cast<std::size_t>(head)].name = "head";
    network_.outputs = {head};
    return std::move(network_);
  }

  Network finish(ValueId x, std::int64_t classes) {
    const std::int64_t features = network_.value(x).shape[1];
    const ValueId pooled = add_node("pool", "GlobalAveragePool", {x}, {kDynamic, features, 1, 1}, {});
    const ValueId flat = add_node("flatten", "Flatten", {pooled}, {kDynamic, features}, {{"axis", std::int64_t{1}}});
    const double bound = 1.0 / std::sqrt(static_cast<double>(features));
    Rng rng(seed_, "fc.weight");
    std::vector<float> weight(static_cast<std::size_t>(classes * features));
    for (auto& w : weight) w = static_cast<float>(rng.uniform(-bound, bound));
    const ValueId w = network_.add_constant("fc.weight", Tensor::from<float>({classes, features}, weight));
    const ValueId b =
        network_.add_constant("fc.bias", Tensor::from<float>({classes}, std::vector<float>(static_cast<std::size_t>(classes), 0.0F)));
    const ValueId logits = add_node("fc", "Gemm", {flat, w, b}, {kDynamic, classes}, {{"transB", std::int64_t{1}}});
    network_.values[static_cast<std::size_t>(logits)].name = "logits";
    network_.outputs = {logits};
    return std::move(network_);
  }

 private:
  static Attribute ints(std::vector<std::int64_t> values) { return values; }

  ValueId normal_constant(const std::string& name, const Shape& shape, double stddev) {
    Rng rng(seed_, name);
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (auto& value : values) value = static_cast<float>(stddev * rng.normal());
    return network_.add_constant(name, Tensor::from<float>(shape, values));
  }

  ValueId add_node(const std::string& name, const std::string& op, std::vector<ValueId> inputs, const Shape& shape,
                   std::map<std::string, Attribute> attributes) {
    const ValueId output = network_.add_value({name + ".out", DataType::kFloat32, shape});
    network_.nodes.push_back(
        {.name = name, .op = op, .inputs = std::move(inputs), .outputs = {output}, .attributes = std::move(attributes)});
    return output;
  }

  std::uint64_t seed_;
  Network network_;
};

}  // namespace

void ResNetOptions::validate() const {
  std::vector<Fault> faults;
  const auto require = [&](const std::string& key, std::int64_t value, std::int64_t low) {
    if (value >= low && value <= kMaxExtent) return;
    faults.push_back({.key = key,
                      .expected = "expected a number from " + std::to_string(low) + " to " + std::to_string(kMaxExtent),
                      .got = std::to_string(value)});
  };
  require("in_channels", in_channels, 1);
  require("height", height, 1);
  require("width", width, 1);
  require("classes", classes, 2);
  require("stem_width", stem_width, 0);
  require("stem_stride", stem_stride, 1);
  require("blocks_per_stage", blocks_per_stage, 1);
  if (widths.empty()) faults.push_back({.key = "widths", .expected = "expected one width for each stage, got none"});
  for (const auto channels : widths) require("widths", channels, 1);
  // A detector's cells tile the image.
  const std::int64_t stride = widths.size() > 12 ? kMaxExtent : stem_stride << (std::max<std::size_t>(widths.size(), 1) - 1);
  if (is_detector && (height % stride != 0 || width % stride != 0))
    faults.push_back({.key = "widths",
                      .expected = "expected as many stages (with stem_stride) that their stride divides the image of " +
                                  std::to_string(height) + " x " + std::to_string(width),
                      .got = "a stride of " + std::to_string(stride)});
  if (!faults.empty()) throw UserError(faults);
}

Network make_resnet(const ResNetOptions& options) {
  options.validate();
  Builder builder(options);
  const std::int64_t stem_width = options.stem_width > 0 ? options.stem_width : options.widths[0];
  ValueId x = builder.relu(builder.conv_bn(builder.input(), "stem.conv", stem_width, 3, options.stem_stride), "stem.relu");
  for (std::size_t stage = 0; stage < options.widths.size(); ++stage) {
    for (std::int64_t block = 0; block < options.blocks_per_stage; ++block) {
      const std::string name = "stage" + std::to_string(stage + 1) + ".block" + std::to_string(block + 1);
      x = builder.block(x, name, options.widths[stage], stage > 0 && block == 0 ? 2 : 1);
    }
  }
  Network network = options.is_detector ? builder.finish_detector(x, options.classes) : builder.finish(x, options.classes);
  validate(network);
  return network;
}

}  // namespace lathe::models

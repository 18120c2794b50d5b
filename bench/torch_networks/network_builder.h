// Builds the list of operators that PyTorch runs for a network in eval mode: one kernel an operator, nothing fused, as the h200 data set
// measures it. The builder walks through the network with a current value [batch, channels, height, width]; token sequences are
// [batch, features, tokens, 1].
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "policies/workload.h"

namespace lathe::torch_networks {

struct ValueShape {
  std::int64_t channels = 0, height = 1, width = 1;
};

struct Setting {
  double width = 1;  // multiplies the usual channels, rounded to multiples of 8
  std::int64_t batch = 1;
  std::int64_t image = 224;
  int bits = 32;  // of weights and activations
  // BatchNormalization and bias folded into the convolution, activations and additions riding on what makes their input: TensorRT. Else
  // each is a kernel of its own: PyTorch.
  bool is_fused = false;
};

struct Convolution {
  std::int64_t out = 0, kernel = 1, stride = 1, groups = 1;
  bool has_bias = false;
  std::optional<std::int64_t> padding;  // (kernel - 1) / 2 where not given
};

class NetworkBuilder {
 public:
  explicit NetworkBuilder(const Setting& setting) : setting_(setting), shape_{3, setting.image, setting.image} {}

  const ValueShape& shape() const { return shape_; }
  void set_shape(const ValueShape& shape) { shape_ = shape; }
  std::int64_t scaled(std::int64_t channels) const;  // by Setting::width

  void conv(const Convolution& convolution);
  void batch_norm();
  void activation() { pointwise({.inputs = 1}); }
  // conv, BatchNormalization and, where `has_activation`, an activation.
  void conv_block(const Convolution& convolution, bool has_activation = true);
  void add() { pointwise({.inputs = 2}); }                                    // of two values of the current shape
  void scale_channels() { pointwise({.inputs = 1, .values_a_channel = 1}); }  // by a factor a channel
  void concat(std::int64_t channels);                                         // makes a value of `channels`; reads and writes all of it
  void copy() { movement(elements(shape_)); }
  void pool(std::int64_t kernel, std::int64_t stride, std::int64_t padding = 0, bool ceil_mode = false);
  void global_pool();  // leaves [batch, channels, 1, 1]
  void layer_norm();
  void linear(std::int64_t out, bool has_bias = true);
  void attention(std::int64_t heads, std::int64_t head_channels);  // of projected queries, keys and values, as one kernel
  void count_parameters(std::int64_t n) { parameters_ += n; }
  // Squeeze and excitation: pool, two 1x1 convolutions with bias, gate.
  void squeeze_excite(std::int64_t reduced_channels);

  policies::Workload take_workload() { return std::move(workload_); }
  std::int64_t parameters() const { return parameters_; }

 private:
  policies::OpWorkload base(const char* name, policies::OpKind kind, const ValueShape& in, const ValueShape& out) const;
  std::int64_t elements(const ValueShape& shape) const { return setting_.batch * shape.channels * shape.height * shape.width; }
  // Element-wise, with so many inputs of the current shape and numbers for each channel.
  struct Pointwise {
    std::int64_t inputs = 1, values_a_channel = 0;
  };
  void pointwise(const Pointwise& operation);
  void movement(std::int64_t elements);

  Setting setting_;
  ValueShape shape_;
  policies::Workload workload_;
  std::int64_t parameters_ = 0;
};

}  // namespace lathe::torch_networks

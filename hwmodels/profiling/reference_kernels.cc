#include "hwmodels/profiling/reference_kernels.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace lathe::hwmodels {
namespace {

// Rows or columns of zeros before the first pixel: half of what the windows reach over the image.
std::int64_t leading_padding(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return std::max<std::int64_t>(0, (out - 1) * stride + kernel - in) / 2;
}

template <typename T, typename Sum>
Sum dot(const T* a, const T* b, std::int64_t n) {
  Sum sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]);
  return sum;
}

template <typename T, typename Sum>
std::function<void()> make_layer(const LayerShape& layer) {
  struct Tensors {
    std::vector<T> input, weights;
    std::vector<Sum> output;
  };
  const auto fill = [](std::vector<T>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(static_cast<int>(i % 7) - 3);
  };
  auto tensors = std::make_shared<Tensors>();
  tensors->input.resize(static_cast<std::size_t>(layer.batch * layer.in_height * layer.in_width * layer.in_channels));
  tensors->weights.resize(
      static_cast<std::size_t>(layer.out_channels * layer.kernel_height * layer.kernel_width * layer.in_channels / layer.groups));
  tensors->output.resize(static_cast<std::size_t>(layer.batch * layer.out_height * layer.out_width * layer.out_channels));
  fill(tensors->input);
  fill(tensors->weights);
  return [layer, tensors] { reference_convolution(layer, tensors->input.data(), tensors->weights.data(), tensors->output.data()); };
}

}  // namespace

template <typename T, typename Sum>
void reference_convolution(const LayerShape& l, const T* input, const T* weights, Sum* output) {
  const std::int64_t in_group = l.in_channels / l.groups, out_group = l.out_channels / l.groups;
  const std::int64_t top = leading_padding(l.in_height, l.out_height, l.kernel_height, l.stride_height);
  const std::int64_t left = leading_padding(l.in_width, l.out_width, l.kernel_width, l.stride_width);
  for (std::int64_t pixel = 0; pixel < l.batch * l.out_height * l.out_width; ++pixel) {
    const std::int64_t sample = pixel / (l.out_height * l.out_width);
    const std::int64_t first_row = pixel / l.out_width % l.out_height * l.stride_height - top;
    const std::int64_t first_column = pixel % l.out_width * l.stride_width - left;
    Sum* sums = output + pixel * l.out_channels;
    std::fill(sums, sums + l.out_channels, Sum{0});
    for (std::int64_t ky = 0; ky < l.kernel_height; ++ky) {
      const std::int64_t row = first_row + ky;
      if (row < 0 || row >= l.in_height) continue;
      for (std::int64_t kx = 0; kx < l.kernel_width; ++kx) {
        const std::int64_t column = first_column + kx;
        if (column < 0 || column >= l.in_width) continue;
        const T* values = input + ((sample * l.in_height + row) * l.in_width + column) * l.in_channels;
        for (std::int64_t out = 0; out < l.out_channels; ++out) {
          const T* taps = weights + ((out * l.kernel_height + ky) * l.kernel_width + kx) * in_group;
          sums[out] += dot<T, Sum>(values + out / out_group * in_group, taps, in_group);
        }
      }
    }
  }
}

template void reference_convolution<float, float>(const LayerShape&, const float*, const float*, float*);
template void reference_convolution<std::int8_t, std::int32_t>(const LayerShape&, const std::int8_t*, const std::int8_t*, std::int32_t*);

std::function<void()> make_reference_layer(const LayerShape& layer, ReferencePrecision precision) {
  return precision == ReferencePrecision::kInt8 ? make_layer<std::int8_t, std::int32_t>(layer) : make_layer<float, float>(layer);
}

}  // namespace lathe::hwmodels

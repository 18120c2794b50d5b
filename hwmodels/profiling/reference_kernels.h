// Plain loops for a layer in fp32 or int8, for boards without ONNX Runtime. Channels last, weights [out, kernel_height, kernel_width, in]:
// the innermost loop is a dot product that the compiler vectorizes. No tuned library: times are an upper bound.
#pragma once

#include <functional>

#include "hwmodels/profiling/layer_shape.h"

namespace lathe::hwmodels {

enum class ReferencePrecision { kFloat32, kInt8 };

// Owns its tensors, filled with small numbers; a call computes the layer once.
std::function<void()> make_reference_layer(const LayerShape& layer, ReferencePrecision precision);

// output[pixel][out channel] of one layer, for tests. input: [batch, in_height, in_width, in_channels]. Padding is such that the windows
// are centred as far as they do not fit.
template <typename T, typename Sum>
void reference_convolution(const LayerShape& layer, const T* input, const T* weights, Sum* output);

extern template void reference_convolution<float, float>(const LayerShape&, const float*, const float*, float*);
extern template void reference_convolution<std::int8_t, std::int32_t>(const LayerShape&, const std::int8_t*, const std::int8_t*,
                                                                      std::int32_t*);

}  // namespace lathe::hwmodels

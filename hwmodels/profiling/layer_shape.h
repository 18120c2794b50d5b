// Shapes of layers as a small CSV file, so that a board can measure them without reading ONNX:
//
//     layer,kind,batch,in_channels,out_channels,kernel_height,kernel_width,stride_height,stride_width,groups,in_height,in_width,out_height,out_width
//
// `lathe profile --list` writes it, `lathe-profile --layers` reads it.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace lathe::hwmodels {

struct LayerShape {
  std::string name;
  bool is_product = false;  // kind: "conv", or "gemm" with in_channels = K, out_channels = N and out_height rows a sample
  std::int64_t batch = 1, in_channels = 1, out_channels = 1;
  std::int64_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, groups = 1;
  std::int64_t in_height = 1, in_width = 1, out_height = 1, out_width = 1;

  bool has_same_shape(const LayerShape& other) const;  // all but the name
  std::int64_t macs() const;
};

void write_layer_shapes(const std::vector<LayerShape>& layers, std::ostream& out);
// Throws UserError with the line of each fault: unknown or missing columns, unknown kinds, extents that are not positive or do not fit
// together (channels that the groups do not divide).
std::vector<LayerShape> read_layer_shapes(const std::string& path);

}  // namespace lathe::hwmodels

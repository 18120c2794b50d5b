// Small residual networks for images, made from scratch, to be trained where the user has none (`lathe train`).
// K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016: 3x3 convolutions with BatchNormalization, two to a block, 1x1
// projection shortcuts (option B) where the shape changes, global average pooling, one Gemm. Weights by He et al., ICCV 2015, eq. 10
// (fan-out), the Gemm uniform in +-1/sqrt(fan-in), BatchNormalization scale 1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::models {

struct ResNetOptions {
  std::string name = "resnet";
  std::int64_t in_channels = 3, height = 32, width = 32;
  std::int64_t classes = 10;
  std::int64_t stem_width = 0;                   // channels of the first convolution; 0 = widths[0]
  std::vector<std::int64_t> widths{16, 32, 64};  // one a stage; each stage but the first halves height and width
  std::int64_t blocks_per_stage = 1;
  std::uint64_t seed = 0;
  void validate() const;  // throws UserError naming the option
};

// Input "input" [N, in_channels, height, width], output "logits" [N, classes]; opset 13.
Network make_resnet(const ResNetOptions& options);

}  // namespace lathe::models

// Small residual networks for images, made from scratch, to be trained where the user has none (`lathe train`).
// K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016: 3x3 convolutions with BatchNormalization, two to a block, 1x1
// projection shortcuts (option B) where the shape changes, global average pooling, one Gemm. Weights by He et al., ICCV 2015, eq. 10
// (fan-out), the Gemm uniform in +-1/sqrt(fan-in), BatchNormalization scale 1.
//
// As a detector the stages end in a 3x3 convolution and a 1x1 convolution with bias, which gives each cell of the last grid a box, an
// objectness and a logit a class (what they mean: evaluators/detection_head.h). Biases of objectness begin where 1 of 100 cells holds an
// object (T.-Y. Lin et al., Focal Loss, ICCV 2017, section 4.1), weights of the 1x1 convolution with standard deviation 0.01.
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
  bool is_detector = false;
  std::int64_t stem_width = 0;                   // channels of the first convolution; 0 = widths[0]
  std::int64_t stem_stride = 1;                  // of the first convolution: 1 or 2
  std::vector<std::int64_t> widths{16, 32, 64};  // one a stage; each stage but the first halves height and width
  std::int64_t blocks_per_stage = 1;
  std::uint64_t seed = 0;
  void validate() const;  // throws UserError naming the option
};

// Input "input" [N, in_channels, height, width]; opset 13. Output "logits" [N, classes], or of a detector "head" [N, 5 + classes,
// height / s, width / s] with s = stem_stride * 2^(stages - 1), which must divide both.
Network make_resnet(const ResNetOptions& options);

}  // namespace lathe::models

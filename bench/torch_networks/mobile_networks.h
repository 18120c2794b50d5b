// Networks of inverted residuals: M. Sandler et al. (MobileNetV2), CVPR 2018; M. Tan et al. (MnasNet), CVPR 2019; M. Tan and Q. Le
// (EfficientNet), ICML 2019; A. Howard et al. (MobileNetV3), ICCV 2019; N. Ma et al. (ShuffleNetV2), ECCV 2018. Definitions as in timm,
// ShuffleNetV2 as in torchvision.
#pragma once

#include <string>

#include "bench/torch_networks/network_builder.h"

namespace lathe::torch_networks {

// False where `name` is none of this family: mobilenetv2_{035,050,075,100,140,110d,120d}, mobilenet_v2, mnasnet_{050,075,100,140},
// mnasnet{0_5,0_75,1_0,1_3}, efficientnet_b{0..4}, efficientnet_lite{0..4}, mobilenetv3_{small,large}_{075,100},
// shufflenet_v2_x{0_5,1_0,1_5,2_0}.
bool build_mobile_network(const std::string& name, NetworkBuilder& builder);

}  // namespace lathe::torch_networks

// ResNet and its relatives: K. He et al., CVPR 2016; S. Xie et al. (ResNeXt), CVPR 2017; S. Zagoruyko and N. Komodakis (wide), BMVC 2016;
// I. Radosavovic et al. (RegNet), CVPR 2020. Definitions as in timm.
#pragma once

#include <string>

#include "bench/torch_networks/network_builder.h"

namespace lathe::torch_networks {

// False where `name` is none of this family: resnet{18,34,50,101,152}, wide_resnet{50,101}_2, resnext{50_32x4d,101_32x8d},
// regnet{x,y}_{002..032}.
bool build_residual_network(const std::string& name, NetworkBuilder& builder);

}  // namespace lathe::torch_networks

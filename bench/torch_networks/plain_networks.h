// Networks without residual sums: K. Simonyan and A. Zisserman (VGG), ICLR 2015; A. Krizhevsky (AlexNet), arXiv 1404.5997; F. Iandola et
// al. (SqueezeNet), arXiv 1602.07360; G. Huang et al. (DenseNet), CVPR 2017. Definitions as in torchvision and timm.
#pragma once

#include <string>

#include "bench/torch_networks/network_builder.h"

namespace lathe::torch_networks {

// False where `name` is none of: vgg{11,13,16,19}, the same with _bn, alexnet, squeezenet1_{0,1}, densenet{121,161,169,201}.
bool build_plain_network(const std::string& name, NetworkBuilder& builder);

}  // namespace lathe::torch_networks

// Vision transformers and networks in their style: A. Dosovitskiy et al. (ViT), ICLR 2021; H. Touvron et al. (DeiT), ICML 2021; I.
// Tolstikhin et al. (MLP-Mixer), NeurIPS 2021; Z. Liu et al. (ConvNeXt), CVPR 2022. Definitions as in timm.
#pragma once

#include <string>

#include "bench/torch_networks/network_builder.h"

namespace lathe::torch_networks {

// False where `name` is none of: {vit,deit}_{tiny,small,base}_patch{16,32}_224, mixer_{s,b}{16,32}_224,
// convnext_{atto,femto,pico,nano,tiny,small,base}.
bool build_transformer_network(const std::string& name, NetworkBuilder& builder);

}  // namespace lathe::torch_networks

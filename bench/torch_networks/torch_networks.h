// Networks by the names that timm and torchvision give them, as workloads.
#pragma once

#include <optional>
#include <string>

#include "bench/torch_networks/network_builder.h"

namespace lathe::torch_networks {

struct TorchNetwork {
  policies::Workload workload;
  std::int64_t parameters = 0;  // with those of BatchNormalization, to compare with the published count
};

// nullopt where the name is of no family known here.
std::optional<TorchNetwork> make_torch_network(const std::string& name, const Setting& setting);

}  // namespace lathe::torch_networks

#include "bench/torch_networks/torch_networks.h"

#include "bench/torch_networks/mobile_networks.h"
#include "bench/torch_networks/plain_networks.h"
#include "bench/torch_networks/residual_networks.h"
#include "bench/torch_networks/transformer_networks.h"

namespace lathe::torch_networks {

std::optional<TorchNetwork> make_torch_network(const std::string& name, const Setting& setting) {
  NetworkBuilder builder(setting);
  const bool is_known = build_residual_network(name, builder) || build_mobile_network(name, builder) ||
                        build_plain_network(name, builder) || build_transformer_network(name, builder);
  if (!is_known) return std::nullopt;
  return TorchNetwork{.workload = builder.take_workload(), .parameters = builder.parameters()};
}

}  // namespace lathe::torch_networks

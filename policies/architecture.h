// What a policy changes of the network's architecture, beside widths of layers: residual blocks that go and layers that become two.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/base/error.h"
#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

bool changes_architecture(const Policy& policy);

// By index into Network::nodes: the name of the block that the policy removes the node with (its Add too). Blocks that the network lacks
// remove nothing.
std::map<int, std::string> removed_nodes(const models::Network& network, const Policy& policy);

// Adds a fault for each block that the network lacks, each entry of a layer that goes with its block, and each rank of a layer that cannot
// be factored. Layers that the network lacks are for others to find.
void check_architecture(const models::Network& network, const Policy& policy, std::vector<Fault>& faults);

// The network without the blocks that the policy removes.
models::Network without_removed_blocks(const models::Network& network, const Policy& policy);
// The names of the layers that it factors.
std::vector<std::string> factored_layers(const Policy& policy);

// The network without the blocks that the policy removes and with its layers in two factors, by their weights alone. `network` may be cut
// to the policy's channels already: those are chosen, and ranks are shares, of what is left. The policy must have been checked.
models::Network with_architecture(const models::Network& network, const Policy& policy);

}  // namespace lathe::policies

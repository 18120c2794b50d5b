// What is wrong with a config's `space:` section, for a network and its devices.
#pragma once

#include <string>
#include <vector>

#include "policies/residual_blocks.h"
#include "policies/search_space.h"

namespace lathe::policies {

// Bits that Lathe can quantize to.
bool is_supported(int bits);
// Whether `name` matches `pattern`, in which * stands for any text.
bool matches(const std::string& pattern, const std::string& name);
// blocks: those that may be removed. Throws UserError (all faults at once, see make_search_space).
void check_options(const SpaceOptions& options, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
                   const std::vector<LayerInfo>& layers, const std::vector<ResidualBlock>& blocks);

}  // namespace lathe::policies

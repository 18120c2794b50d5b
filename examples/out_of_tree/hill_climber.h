// An agent of one's own: from the best policy under a rising price of latency, one step down in one decision.
#pragma once

#include <cstdint>
#include <memory>

#include "search/agent.h"

namespace npu {

const lathe::search::AgentKind& hill_climber_kind();
std::unique_ptr<lathe::search::Agent> make_hill_climber(const lathe::search::AgentOptions& options, const lathe::search::Problem& problem,
                                                        std::uint64_t seed);

}  // namespace npu

// Reading an agent's options.
#pragma once

#include <string>

#include "search/agent.h"

namespace lathe::search {

// The option's value, or its default; the name must be one of the kind's.
double option(const AgentOptions& options, const AgentKind& kind, const std::string& name);

// Throws UserError where an option is unknown (with the nearest spelling) or not a finite number.
void check_options(const AgentOptions& options, const AgentKind& kind);

}  // namespace lathe::search

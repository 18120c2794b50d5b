// A device that is known by a table of measured layers alone (latency_table.h): latency is the sum over the layers. Operators without
// weights cost nothing, since such tables do not list them; the prediction says how many there are. Energy is power times latency.
// Whether latency falls with bits or channels is up to the table.
#pragma once

#include <memory>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

// Throws UserError where the table cannot be read. predict and op_cost throw UserError for a layer that the table does not cover.
std::unique_ptr<HardwareModel> make_lookup_table_model(DeviceSpec device);

}  // namespace lathe::hwmodels

// The compressed network with weights in integers of the policy's widths and without their zeros (policies/packed_file.h).
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_packed_exporter();

}  // namespace lathe::policies

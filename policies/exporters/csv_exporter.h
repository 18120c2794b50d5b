// One line a layer (RFC 4180): for spreadsheets and data frames. The columns are the keys of a layer in the JSON export, but for the list
// of kept channels.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_csv_exporter();

}  // namespace lathe::policies

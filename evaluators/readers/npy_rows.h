// Rows from the .npy files that a config names.
#pragma once

#include <string>

#include "evaluators/dataset.h"

namespace lathe::evaluators {

// which: "train" or "test", of the options' inputs and labels. Throws UserError naming file and key.
// Labels int64 [n]; their range is not checked.
Rows read_class_rows(const DataOptions& options, const std::string& which);
// Images uint8 [n, c, h, w] and objects [n, objects, 5] as Rows::labels describes them, below options.classes (0 = any). Boxes must have
// an area and their centre in the image.
Rows read_object_rows(const DataOptions& options, const std::string& which);

}  // namespace lathe::evaluators

// The IDX format of the MNIST family (Y. LeCun, C. Cortes, C. Burges): big-endian magic 0x00 0x00 TYPE RANK, one 32-bit extent an axis,
// then the elements, row-major. Only unsigned bytes (type 0x08) occur in image sets.
#pragma once

#include <string>

#include "evaluators/dataset.h"

namespace lathe::evaluators {

// images: rank 3 [n, h, w] (one channel) or rank 4 [n, c, h, w]; labels: rank 1. Either may be gzipped. Throws UserError.
Rows read_idx(const std::string& images_path, const std::string& labels_path);

// DIRECTORY/STEM or DIRECTORY/STEM.gz, whichever is there (the first where none is).
std::string find_idx(const std::string& directory, const std::string& stem);

}  // namespace lathe::evaluators

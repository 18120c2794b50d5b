// NumPy's array files, versions 1.0 to 3.0 (numpy/lib/format.py describes them): magic "\x93NUMPY", version, header length, a Python
// dictionary with descr, fortran_order and shape, then the elements. Read: little-endian int32, int64, float32, float64, uint8 and bool in
// C order; integers become int64, floats float32, uint8 stays.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace lathe::evaluators {

// Throws UserError: missing, not NPY, cut short, Fortran order, another element type.
at::Tensor read_npy(const std::string& path);

}  // namespace lathe::evaluators

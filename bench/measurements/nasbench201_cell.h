// What a runtime executes of a NAS-Bench-201 cell (X. Dong and Y. Yang, ICLR 2020): four nodes, each the sum of its incoming edges, and an
// operation on each of the six edges.
#pragma once

#include <string>

#include "bench/measurements/csv.h"

namespace lathe::measurements {

// Kernels of one cell, beside additions. A convolution brings its ReLU and, where not folded, BatchNormalization.
struct CellKernels {
  int zeroings = 0;  // multiplications by zero: the operation `none`
  int convs_1x1 = 0;
  int convs_3x3 = 0;
  int pools = 0;
  bool operator==(const CellKernels&) const = default;
};

// A framework that runs the network as written: every edge, whether or not the output depends on it.
CellKernels eager_kernels(const CsvRow& row);

// A compiler that drops what the output does not depend on. A value times zero is dropped with all that leads to it, unless the value is
// that of a convolution which nothing else reads: the zero is then folded into its weights like any factor, and it runs. Convolutions of
// constants run too. (Found from the latencies of raspi4 and pixel3, which HW-NAS-Bench measured under TensorFlow Lite.)
CellKernels pruned_kernels(const CsvRow& row);

}  // namespace lathe::measurements

// What a device can execute, as a plain value: hwmodels fills it from a device file, the search space is cut to it.
#pragma once

#include <vector>

namespace lathe::policies {

struct DeviceCapabilities {
  int channel_granularity = 1;       // kept channels are rounded to multiples of this (dot-product width, tensor-core tile, ...)
  std::vector<int> weight_bits{32};  // widths that the device stores or computes; ascending; 32 = float
  std::vector<int> activation_bits{32};
  bool runs_two_of_four = false;  // computes weights of the sparsity pattern 2:4 faster, and stores them without their zeros
  bool has_fixed_ranges = false;  // the ranges of activations are built into what runs: none can be found as it runs
  bool operator==(const DeviceCapabilities&) const = default;
};

// What all of them can use: the union of widths (a model charges a width that it lacks as the next wider one) and patterns, the smallest
// granularity, fixed ranges where one has them.
DeviceCapabilities merge(const std::vector<DeviceCapabilities>& devices);

}  // namespace lathe::policies

// A low-discrepancy sequence in any number of dimensions: Halton's, with the digits of each dimension randomly permuted.
#pragma once

#include <cstdint>
#include <vector>

#include "models/base/rng.h"

namespace lathe::search {

// Source: A. B. Owen, A randomized Halton algorithm in R, 2017 (arXiv:1706.02808): an independent uniform permutation for each digit
// position of each dimension. Every coordinate is stratified: any `base` successive points fall into different cells of width 1 / base.
class ScrambledHalton {
 public:
  ScrambledHalton(int dimensions, Rng rng);
  // Point `index` (from 0) in [0, 1)^dimensions.
  std::vector<double> point(std::uint64_t index) const;

 private:
  struct Dimension {
    int base;
    std::vector<std::vector<int>> permutations;  // digit position x digit
  };
  std::vector<Dimension> dimensions_;
};

}  // namespace lathe::search

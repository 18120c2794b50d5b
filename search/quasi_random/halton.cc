#include "search/quasi_random/halton.h"

#include <algorithm>
#include <numeric>

namespace lathe::search {
namespace {

std::vector<int> first_primes(int count) {
  std::vector<int> primes;
  for (int n = 2; static_cast<int>(primes.size()) < count; ++n) {
    if (std::none_of(primes.begin(), primes.end(), [n](int p) { return n % p == 0; })) primes.push_back(n);
  }
  return primes;
}

}  // namespace

ScrambledHalton::ScrambledHalton(int dimensions, Rng rng) {
  constexpr double kResolution = 1 << 24;  // digits are kept until cells are smaller than 2^-24: more points than any search makes
  for (const int base : first_primes(dimensions)) {
    Dimension dimension{base, {}};
    for (double cells = 1; cells < kResolution; cells *= base) {
      std::vector<int> permutation(static_cast<std::size_t>(base));
      std::iota(permutation.begin(), permutation.end(), 0);
      rng.shuffle(permutation);
      dimension.permutations.push_back(std::move(permutation));
    }
    dimensions_.push_back(std::move(dimension));
  }
}

std::vector<double> ScrambledHalton::point(std::uint64_t index) const {
  std::vector<double> x;
  x.reserve(dimensions_.size());
  for (const Dimension& dimension : dimensions_) {
    std::uint64_t rest = index;
    double value = 0, weight = 1;
    for (const std::vector<int>& permutation : dimension.permutations) {
      const auto base = static_cast<std::uint64_t>(dimension.base);
      weight /= dimension.base;
      value += weight * permutation[rest % base];
      rest /= base;
    }
    x.push_back(value);
  }
  return x;
}

}  // namespace lathe::search

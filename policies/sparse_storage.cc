#include "policies/sparse_storage.h"

#include <initializer_list>

namespace lathe::policies {
namespace {

std::int64_t whole_bytes(std::int64_t bits) {
  return (bits + 7) / 8;
}

std::int64_t bits_with_low(std::int64_t elements, std::int64_t kept, int low) {
  return kept * (low + 1) + ((elements - 1) >> low);
}

std::int64_t bytes_in(WeightStorage storage, std::int64_t elements, std::int64_t kept, int bits) {
  if (storage == WeightStorage::kDense) return whole_bytes(elements * bits);
  return whole_bytes(kept * bits) + whole_bytes(storage == WeightStorage::kBitmask ? elements : bits_of_positions(elements, kept));
}

}  // namespace

int low_bits_of_positions(std::int64_t elements, std::int64_t kept) {
  int best = 0;
  for (int low = 1; (elements >> low) > 0; ++low) {
    if (bits_with_low(elements, kept, low) < bits_with_low(elements, kept, best)) best = low;
  }
  return best;
}

std::int64_t bits_of_positions(std::int64_t elements, std::int64_t kept) {
  return elements == 0 ? 0 : bits_with_low(elements, kept, low_bits_of_positions(elements, kept));
}

WeightStorage smallest_storage(std::int64_t elements, std::int64_t kept, int bits) {
  WeightStorage best = WeightStorage::kDense;
  for (const WeightStorage storage : {WeightStorage::kBitmask, WeightStorage::kIndices}) {
    if (bytes_in(storage, elements, kept, bits) < bytes_in(best, elements, kept, bits)) best = storage;
  }
  return best;
}

std::int64_t stored_bytes(std::int64_t elements, std::int64_t kept, int bits) {
  return bytes_in(smallest_storage(elements, kept, bits), elements, kept, bits);
}

}  // namespace lathe::policies

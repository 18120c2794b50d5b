// What a weight of E elements of which K are kept takes in a file, at so many bits an element. The smallest of
//   dense:    E values;
//   bitmask:  one bit an element, and K values (for 2:4 as many bits as sparse tensor cores take: two for each kept value);
//   indices:  the ascending positions of the kept elements, and K values. Positions are coded as P. Elias (Efficient Storage and Retrieval
//             by Content and Address of Static Files, JACM 1974) and R. Fano do: l low bits of each as they are, the rest in unary, with
//             the l that takes the fewest bits. Less than a bit an element from 75 % of zeros on, where columns and row pointers (CSR)
//             take 8 to 10 bits a kept element.
// All three depend on E and K alone, so that a search counts what will be written.
#pragma once

#include <cstdint>

namespace lathe::policies {

enum class WeightStorage { kDense, kBitmask, kIndices };
WeightStorage smallest_storage(std::int64_t elements, std::int64_t kept, int bits);

// Low bits a position, and the bits of all positions: K (l + 1) + floor((E - 1) / 2^l).
int low_bits_of_positions(std::int64_t elements, std::int64_t kept);
std::int64_t bits_of_positions(std::int64_t elements, std::int64_t kept);

// Bytes of positions and values in the smallest storage; each of the two in whole bytes.
std::int64_t stored_bytes(std::int64_t elements, std::int64_t kept, int bits);

}  // namespace lathe::policies

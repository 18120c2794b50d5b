// Small vectors of floats, which GCC and Clang turn into the registers of any processor.
#pragma once

#include <cstdint>
#include <cstring>

namespace lathe::hwmodels {

using FourFloats = float __attribute__((vector_size(16)));
using EightFloats = float __attribute__((vector_size(32)));

// Always inlined: how such vectors are passed depends on the processor.
#define LATHE_INLINE [[gnu::always_inline]] inline

LATHE_INLINE EightFloats eight_floats(const std::uint16_t* words) {
  using EightWords = std::uint16_t __attribute__((vector_size(16)));
  using EightInts = std::int32_t __attribute__((vector_size(32)));
  EightWords loaded;
  std::memcpy(&loaded, words, sizeof(loaded));
  return __builtin_convertvector(__builtin_convertvector(loaded, EightInts), EightFloats);
}

LATHE_INLINE EightFloats smaller(EightFloats a, EightFloats b) {
  return a < b ? a : b;
}

// The index of the smallest of eight costs >= 0. Their last three bits give way to the index, so costs nearer than 2^-20 count as equal.
LATHE_INLINE std::uint32_t index_of_smallest(EightFloats costs) {
  using EightUints = std::uint32_t __attribute__((vector_size(32)));
  constexpr std::uint32_t kIndexBits = 7;
  constexpr EightUints kIndices{0, 1, 2, 3, 4, 5, 6, 7};
  EightUints tagged;
  std::memcpy(&tagged, &costs, sizeof(tagged));
  tagged = (tagged & ~kIndexBits) | kIndices;
  EightFloats least;
  std::memcpy(&least, &tagged, sizeof(least));
  least = smaller(least, __builtin_shufflevector(least, least, 4, 5, 6, 7, 0, 1, 2, 3));
  least = smaller(least, __builtin_shufflevector(least, least, 2, 3, 0, 1, 6, 7, 4, 5));
  least = smaller(least, __builtin_shufflevector(least, least, 1, 0, 3, 2, 5, 4, 7, 6));
  std::uint32_t first;
  std::memcpy(&first, &least, sizeof(first));
  return first & kIndexBits;
}

}  // namespace lathe::hwmodels

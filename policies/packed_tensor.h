// A tensor as the bytes that packed_bytes() counts: each number at its width, sparse ones without their zeros.
//
// Values are codes of `bits` bits, positions those of sparse_storage.h; both are streams of bits, the lowest bit of the lowest byte first,
// that end on a byte. A tensor is [float32 largest magnitude, where the encoding has one] [positions, where it is sparse] [codes].
// Blocks of sparse tensors are units: stored one after the other, each with all its codes, those beyond the end of the axis 0.
//   int        two's complement;
//   float32, float16, bfloat16   the bits of the number;
//   float8     E4M3, times largest / 448 (weight_formats.h);
//   pow2       0, or a sign (highest bit) and c in 1 .. 2^(bits - 1) - 1 for 2^(top - 2^(bits - 1) + 1 + c), top as in weight_formats.h.
//   bitmask    bit u says whether unit u is stored;
//   indices    of each stored unit u (the i-th) l low bits; behind all of these bit (u >> l) + i set, of K + floor((U - 1) / 2^l) bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/tensor.h"
#include "policies/sparse_storage.h"

namespace lathe::policies {

enum class PackedEncoding { kInt, kFloat32, kFloat16, kBfloat16, kFloat8, kPow2 };
const char* to_string(PackedEncoding encoding);
PackedEncoding parse_packed_encoding(const std::string& name);  // throws UserError

// What is stored or left out as a whole: elements, or blocks of `size` consecutive indices of `axis` (weight_blocks.h).
struct PackedUnits {
  std::int64_t kept = 0;  // that are stored, all of them where the tensor is dense
  std::int64_t size = 1;
  int axis = 0;
  bool operator==(const PackedUnits&) const = default;
};

// What a reader must know of the tensor beside its bytes.
struct PackedLayout {
  models::DataType type = models::DataType::kFloat32;  // of the tensor
  models::Shape shape;
  PackedEncoding encoding = PackedEncoding::kFloat32;
  int bits = 32;  // a value
  PackedUnits units;
  bool operator==(const PackedLayout&) const = default;
};

std::int64_t unit_count(const PackedLayout& layout);
WeightStorage storage_of(const PackedLayout& layout);
std::int64_t bytes_of(const PackedLayout& layout);

// Whether the encoding has each of the numbers exactly, and no more units than are kept hold another than zero.
bool can_pack(const models::Tensor& tensor, const PackedLayout& layout);
// Bytes of bytes_of(layout). can_pack() must hold.
std::vector<std::byte> pack_tensor(const models::Tensor& tensor, const PackedLayout& layout);
// The same numbers in layout.type; only the sign of a zero that is not stored is lost. Throws UserError where the bytes are not of the
// layout.
models::Tensor unpack_tensor(std::span<const std::byte> bytes, const PackedLayout& layout);

}  // namespace lathe::policies

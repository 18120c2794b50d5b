#include "policies/packed_tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>

#include "models/base/error.h"
#include "policies/bit_stream.h"
#include "policies/weight_blocks.h"
#include "policies/weight_formats.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::Tensor;

constexpr int kMagnitudeBits = 32;  // of the float32 that an encoding by codebook begins with

constexpr std::pair<PackedEncoding, const char*> kEncodings[] = {
    {PackedEncoding::kInt, "int"},           {PackedEncoding::kFloat32, "float32"}, {PackedEncoding::kFloat16, "float16"},
    {PackedEncoding::kBfloat16, "bfloat16"}, {PackedEncoding::kFloat8, "float8"},   {PackedEncoding::kPow2, "pow2"}};

bool has_codebook(PackedEncoding encoding) {
  return encoding == PackedEncoding::kFloat8 || encoding == PackedEncoding::kPow2;
}

double e4m3_of(int code) {
  const int exponent = code >> 3 & 0xF, fraction = code & 7;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

// The number of each code. 0x7F and 0xFF of E4M3 are no numbers; they stand for 0 here and are never written.
std::vector<float> codebook(const PackedLayout& layout, float largest) {
  std::vector<float> numbers(std::size_t{1} << layout.bits, 0.0F);
  if (largest == 0) return numbers;
  const int sign = 1 << (layout.bits - 1);
  const int top = layout.encoding == PackedEncoding::kPow2 ? std::ilogb(4 * static_cast<double>(largest) / 3) : 0;
  for (int code = 1; code < 2 * sign; ++code) {
    const int rest = code & (sign - 1);
    double number = 0;
    if (layout.encoding == PackedEncoding::kPow2) {
      if (rest > 0) number = std::ldexp(code >= sign ? -1.0 : 1.0, top - sign + 1 + rest);
    } else if (rest != sign - 1) {
      number = e4m3_of(code) * (static_cast<double>(largest) / 448.0);
    }
    numbers[static_cast<std::size_t>(code)] = static_cast<float>(number);
  }
  return numbers;
}

float largest_magnitude(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// Codes in the order of the elements; nullopt where a number has none.
std::optional<std::vector<std::uint32_t>> codes_of(const Tensor& tensor, const PackedLayout& layout) {
  std::vector<std::uint32_t> codes;
  codes.reserve(static_cast<std::size_t>(tensor.size()));
  if (layout.encoding == PackedEncoding::kInt) {
    const std::int64_t largest = (std::int64_t{1} << (layout.bits - 1)) - 1;
    const std::uint32_t mask = static_cast<std::uint32_t>((std::uint64_t{1} << layout.bits) - 1);
    for (const std::int64_t level : tensor.to_int64s()) {
      if (level < -largest - 1 || level > largest) return std::nullopt;
      codes.push_back(static_cast<std::uint32_t>(level) & mask);
    }
    return codes;
  }
  const std::vector<float> values = tensor.to_floats();
  if (has_codebook(layout.encoding)) {
    std::map<float, std::uint32_t> code_of;
    const std::vector<float> numbers = codebook(layout, largest_magnitude(values));
    for (std::uint32_t code = 0; code < numbers.size(); ++code) code_of.try_emplace(numbers[code], code);
    for (const float value : values) {
      const auto found = code_of.find(value);
      if (found == code_of.end()) return std::nullopt;
      codes.push_back(found->second);
    }
    return codes;
  }
  if (layout.encoding == PackedEncoding::kFloat16 && !is_representable_as_half(values)) return std::nullopt;
  if (layout.encoding == PackedEncoding::kBfloat16 && !is_representable_as_bfloat(values)) return std::nullopt;
  for (const float value : values) {
    if (layout.encoding == PackedEncoding::kFloat16)
      codes.push_back(to_half_bits(value));
    else if (layout.encoding == PackedEncoding::kBfloat16)
      codes.push_back(to_bfloat_bits(value));
    else
      codes.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return codes;
}

bool is_zero(std::uint32_t code, const PackedLayout& layout) {
  const bool has_signed_zero = layout.encoding != PackedEncoding::kInt && layout.encoding != PackedEncoding::kPow2;
  const std::uint32_t sign = std::uint32_t{1} << (layout.bits - 1);
  return code == 0 || (has_signed_zero && code == sign);
}

WeightBlocks blocks_of(const PackedLayout& layout) {
  return {layout.shape, layout.units.axis, layout.units.size};
}

int unit_bits(const PackedLayout& layout) {
  return layout.bits * static_cast<int>(layout.units.size);
}

// Which units are stored: those that hold something, and the first others until there are enough; nullopt where too many hold something.
std::optional<std::vector<bool>> stored_units(const std::vector<std::uint32_t>& codes, const PackedLayout& layout) {
  const WeightBlocks blocks = blocks_of(layout);
  std::vector<bool> is_stored(static_cast<std::size_t>(blocks.count()), false);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (!is_zero(codes[i], layout)) is_stored[static_cast<std::size_t>(blocks.block_of(static_cast<std::int64_t>(i)))] = true;
  }
  std::int64_t left = layout.units.kept - std::count(is_stored.begin(), is_stored.end(), true);
  if (left < 0) return std::nullopt;
  for (std::size_t unit = 0; unit < is_stored.size() && left > 0; ++unit) {
    left -= is_stored[unit] ? 0 : 1;
    is_stored[unit] = true;
  }
  return is_stored;
}

// Of each element its place in the stream of codes, or -1 where its unit is not stored.
std::vector<std::int64_t> places_of(const std::vector<bool>& is_stored, const PackedLayout& layout) {
  const WeightBlocks blocks = blocks_of(layout);
  std::vector<std::int64_t> first(is_stored.size(), -1);
  std::int64_t next = 0;
  for (std::size_t unit = 0; unit < is_stored.size(); ++unit) {
    if (!is_stored[unit]) continue;
    first[unit] = next;
    next += layout.units.size;
  }
  std::vector<std::int64_t> places(static_cast<std::size_t>(models::element_count(layout.shape)));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto element = static_cast<std::int64_t>(i);
    const std::int64_t begin = first[static_cast<std::size_t>(blocks.block_of(element))];
    places[i] = begin < 0 ? -1 : begin + blocks.place_of(element);
  }
  return places;
}

void write_positions(const std::vector<bool>& is_stored, const PackedLayout& layout, BitWriter& writer) {
  if (storage_of(layout) == WeightStorage::kBitmask) {
    for (const bool stored : is_stored) writer.write(stored ? 1 : 0, 1);
    writer.end_byte();
    return;
  }
  const auto units = static_cast<std::int64_t>(is_stored.size());
  const int low = low_bits_of_positions(units, layout.units.kept);
  std::vector<bool> high(static_cast<std::size_t>(layout.units.kept + ((units - 1) >> low)), false);
  std::size_t rank = 0;
  for (std::size_t unit = 0; unit < is_stored.size(); ++unit) {
    if (!is_stored[unit]) continue;
    writer.write(static_cast<std::uint32_t>(unit & ((std::size_t{1} << low) - 1)), low);
    high[(unit >> low) + rank++] = true;
  }
  for (const bool bit : high) writer.write(bit ? 1 : 0, 1);
  writer.end_byte();
}

std::vector<bool> read_positions(const PackedLayout& layout, BitReader& reader) {
  const std::int64_t units = unit_count(layout);
  std::vector<bool> is_stored(static_cast<std::size_t>(units), storage_of(layout) == WeightStorage::kDense);
  if (storage_of(layout) == WeightStorage::kBitmask) {
    for (std::int64_t unit = 0; unit < units; ++unit) is_stored[static_cast<std::size_t>(unit)] = reader.read(1) != 0;
  } else if (storage_of(layout) == WeightStorage::kIndices) {
    const int low = low_bits_of_positions(units, layout.units.kept);
    std::vector<std::uint32_t> lows;
    for (std::int64_t i = 0; i < layout.units.kept; ++i) lows.push_back(reader.read(low));
    const std::int64_t bits = layout.units.kept + ((units - 1) >> low);
    std::int64_t rank = 0;
    for (std::int64_t bit = 0; bit < bits; ++bit) {
      if (reader.read(1) == 0) continue;
      const std::int64_t unit = rank < layout.units.kept ? ((bit - rank) << low) + lows[static_cast<std::size_t>(rank)] : units;
      if (unit >= units) throw UserError("packed tensor: a position lies outside of it");
      is_stored[static_cast<std::size_t>(unit)] = true;
      ++rank;
    }
  }
  reader.end_byte();
  if (std::count(is_stored.begin(), is_stored.end(), true) != layout.units.kept)
    throw UserError("packed tensor: its positions are not as many as its values");
  return is_stored;
}

Tensor tensor_of_levels(const std::vector<std::uint32_t>& codes, const PackedLayout& layout) {
  const std::size_t width = size_of(layout.type);
  std::vector<std::byte> bytes(codes.size() * width);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto sign = std::uint32_t{1} << (layout.bits - 1);
    const std::int32_t level = static_cast<std::int32_t>((codes[i] ^ sign) - sign);  // little endian, as Tensor holds it
    std::memcpy(&bytes[i * width], &level, width);
  }
  return Tensor(layout.type, layout.shape, std::move(bytes));
}

float half_to_float(std::uint32_t code) {
  const std::vector<std::byte> bytes{static_cast<std::byte>(code & 0xFF), static_cast<std::byte>(code >> 8)};
  return Tensor(DataType::kFloat16, {1}, bytes).to_floats()[0];
}

Tensor tensor_of_floats(const std::vector<float>& values, const PackedLayout& layout) {
  if (layout.type == DataType::kFloat32) return Tensor::from<float>(layout.shape, values);
  std::vector<std::byte> bytes(values.size() * 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = layout.type == DataType::kFloat16 ? to_half_bits(values[i]) : to_bfloat_bits(values[i]);
    std::memcpy(&bytes[2 * i], &bits, sizeof bits);
  }
  return Tensor(layout.type, layout.shape, std::move(bytes));
}

}  // namespace

const char* to_string(PackedEncoding encoding) {
  return std::find_if(std::begin(kEncodings), std::end(kEncodings), [&](const auto& each) { return each.first == encoding; })->second;
}

PackedEncoding parse_packed_encoding(const std::string& name) {
  for (const auto& [encoding, known] : kEncodings) {
    if (name == known) return encoding;
  }
  throw UserError("unknown encoding '" + name + "' of a packed tensor");
}

std::int64_t unit_count(const PackedLayout& layout) {
  return blocks_of(layout).count();
}

WeightStorage storage_of(const PackedLayout& layout) {
  return smallest_storage(unit_count(layout), layout.units.kept, unit_bits(layout));
}

std::int64_t bytes_of(const PackedLayout& layout) {
  return (has_codebook(layout.encoding) ? kMagnitudeBits / 8 : 0) + stored_bytes(unit_count(layout), layout.units.kept, unit_bits(layout));
}

bool can_pack(const Tensor& tensor, const PackedLayout& layout) {
  const auto codes = codes_of(tensor, layout);
  return codes && (storage_of(layout) == WeightStorage::kDense || stored_units(*codes, layout));
}

std::vector<std::byte> pack_tensor(const Tensor& tensor, const PackedLayout& layout) {
  LATHE_CHECK(tensor.type() == layout.type && tensor.shape() == layout.shape);
  const auto codes = codes_of(tensor, layout);
  LATHE_CHECK(codes.has_value()) << "no " << to_string(layout.encoding) << layout.bits << " for a number of the tensor";
  std::vector<bool> is_stored(static_cast<std::size_t>(unit_count(layout)), true);
  BitWriter writer;
  if (has_codebook(layout.encoding)) writer.write(std::bit_cast<std::uint32_t>(largest_magnitude(tensor.to_floats())), kMagnitudeBits);
  if (storage_of(layout) != WeightStorage::kDense) {
    const auto units = stored_units(*codes, layout);
    LATHE_CHECK(units.has_value()) << "more than " << layout.units.kept << " numbers are not zero";
    is_stored = *units;
    write_positions(is_stored, layout, writer);
  }
  std::vector<std::uint32_t> stream(static_cast<std::size_t>(layout.units.size * std::count(is_stored.begin(), is_stored.end(), true)), 0);
  const std::vector<std::int64_t> places = places_of(is_stored, layout);
  for (std::size_t i = 0; i < codes->size(); ++i) {
    if (places[i] >= 0) stream[static_cast<std::size_t>(places[i])] = (*codes)[i];
  }
  for (const std::uint32_t code : stream) writer.write(code, layout.bits);
  std::vector<std::byte> bytes = std::move(writer).take();
  LATHE_CHECK_EQ(static_cast<std::int64_t>(bytes.size()), bytes_of(layout));
  return bytes;
}

Tensor unpack_tensor(std::span<const std::byte> bytes, const PackedLayout& layout) {
  if (static_cast<std::int64_t>(bytes.size()) != bytes_of(layout)) throw UserError("packed tensor: it is cut short");
  BitReader reader(bytes);
  const float largest = has_codebook(layout.encoding) ? std::bit_cast<float>(reader.read(kMagnitudeBits)) : 0.0F;
  std::vector<bool> is_stored(static_cast<std::size_t>(unit_count(layout)), true);
  if (storage_of(layout) != WeightStorage::kDense) is_stored = read_positions(layout, reader);
  std::vector<std::uint32_t> stream(static_cast<std::size_t>(layout.units.size * std::count(is_stored.begin(), is_stored.end(), true)));
  for (std::uint32_t& code : stream) code = reader.read(layout.bits);
  const std::vector<std::int64_t> places = places_of(is_stored, layout);
  std::vector<std::uint32_t> codes(places.size(), 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (places[i] >= 0) codes[i] = stream[static_cast<std::size_t>(places[i])];
  }
  if (layout.encoding == PackedEncoding::kInt) return tensor_of_levels(codes, layout);
  std::vector<float> numbers;
  if (has_codebook(layout.encoding)) numbers = codebook(layout, largest);
  std::vector<float> values;
  for (const std::uint32_t code : codes) {
    if (has_codebook(layout.encoding))
      values.push_back(numbers[code]);
    else if (layout.encoding == PackedEncoding::kFloat16)
      values.push_back(half_to_float(code));
    else
      values.push_back(std::bit_cast<float>(layout.encoding == PackedEncoding::kBfloat16 ? code << 16 : code));
  }
  return tensor_of_floats(values, layout);
}

}  // namespace lathe::policies

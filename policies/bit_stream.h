// Numbers of any width up to 32 bits, one behind the other: the lowest bit of the lowest byte first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/base/check.h"

namespace lathe::policies {

class BitWriter {
 public:
  void write(std::uint32_t value, int bits) {
    for (int i = 0; i < bits; ++i, ++count_) {
      if (count_ % 8 == 0) bytes_.push_back(std::byte{0});
      if ((value >> i & 1U) != 0) bytes_.back() |= std::byte{1} << (count_ % 8);
    }
  }
  void end_byte() { count_ = static_cast<std::int64_t>(bytes_.size()) * 8; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  std::int64_t count_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint32_t read(int bits) {
    std::uint32_t value = 0;
    for (int i = 0; i < bits; ++i, ++at_) {
      LATHE_DCHECK(at_ / 8 < static_cast<std::int64_t>(bytes_.size()));
      value |= static_cast<std::uint32_t>(std::to_integer<unsigned>(bytes_[static_cast<std::size_t>(at_ / 8)]) >> (at_ % 8) & 1U) << i;
    }
    return value;
  }
  void end_byte() { at_ = (at_ + 7) / 8 * 8; }

 private:
  std::span<const std::byte> bytes_;
  std::int64_t at_ = 0;
};

}  // namespace lathe::policies

#include <algorithm>
#include <cstring>

#include "models/base/check.h"
#include "policies/mask_fill.h"
#include "policies/prune.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::Network;
using models::Tensor;
using models::ValueId;

// The bytes of 1 in a floating type.
std::vector<std::byte> one(DataType type) {
  const auto bytes_of = [](auto number) {
    std::vector<std::byte> bytes(sizeof number);
    std::memcpy(bytes.data(), &number, sizeof number);
    return bytes;
  };
  switch (type) {
    case DataType::kFloat32:
      return bytes_of(1.0F);
    case DataType::kFloat64:
      return bytes_of(1.0);
    case DataType::kFloat16:
      return bytes_of(std::uint16_t{0x3C00});
    case DataType::kBFloat16:
      return bytes_of(std::uint16_t{0x3F80});
    default:
      LATHE_CHECK(false) << "a variance of type " << models::to_string(type);
      return {};
  }
}

// Overwrites all elements whose index along `axis` is not among `kept` (ascending) with `element` (the bytes of one).
void fill_slices(std::vector<std::byte>& bytes, const models::Shape& shape, std::size_t axis, const std::vector<std::int64_t>& kept,
                 const std::vector<std::byte>& element) {
  std::size_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(shape[i]);
  for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  const auto size = static_cast<std::size_t>(shape[axis]);
  for (std::size_t index = 0; index < size; ++index) {
    if (std::binary_search(kept.begin(), kept.end(), static_cast<std::int64_t>(index))) continue;
    for (std::size_t o = 0; o < outer; ++o) {
      std::byte* slice = bytes.data() + (o * size + index) * inner * element.size();
      for (std::size_t i = 0; i < inner; ++i) std::memcpy(slice + i * element.size(), element.data(), element.size());
    }
  }
}

}  // namespace

Network mask(const Network& network, const CouplingAnalysis& analysis, const KeptChannels& kept) {
  LATHE_CHECK_EQ(kept.size(), analysis.groups.size());
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
  const std::vector<MaskFill> fills = mask_fills(network);
  Network result = network;
  for (auto& [id, tensor] : result.constants) {
    const MaskFill fill = fills[static_cast<std::size_t>(id)];
    if (fill == MaskFill::kUnchanged) continue;
    std::vector<std::byte> bytes;
    for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
      const std::vector<std::int64_t> stay = kept_indices(analysis.axes[static_cast<std::size_t>(id)][axis], analysis, kept);
      if (static_cast<std::int64_t>(stay.size()) == tensor.shape()[axis]) continue;
      if (bytes.empty()) bytes.assign(tensor.bytes().begin(), tensor.bytes().end());
      const std::vector<std::byte> zero(models::size_of(tensor.type()));
      fill_slices(bytes, tensor.shape(), axis, stay, fill == MaskFill::kOne ? one(tensor.type()) : zero);
    }
    if (!bytes.empty()) tensor = Tensor(tensor.type(), tensor.shape(), std::move(bytes));
  }
  return lower_token_selections(std::move(result));
}

}  // namespace lathe::policies

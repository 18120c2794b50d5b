#include "evaluators/readers/idx_reader.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "evaluators/readers/file_bytes.h"
#include "models/base/error.h"
#include "models/tensor.h"

namespace lathe::evaluators {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;

struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;  // of the whole file
  std::size_t offset;               // of the first element
};

IdxArray parse_idx(const std::string& path, const std::string& what) {
  IdxArray array{.bytes = read_gzip(path, what)};
  const auto fault = [&](const std::string& got) {
    return UserError(Fault{.file = path, .expected = "expected " + what + ", got " + got});
  };
  const auto& b = array.bytes;
  if (b.empty()) throw fault("an empty file");
  if (b.size() < 4 || b[0] != 0 || b[1] != 0) throw fault("a file that is not IDX (it does not start with two zero bytes)");
  if (b[2] != kUnsignedByte) throw fault("IDX element type " + std::to_string(b[2]) + " (only 8, unsigned bytes, is read)");
  const std::size_t rank = b[3];
  array.offset = 4 + 4 * rank;
  if (b.size() < array.offset) throw fault("a header that is cut short");
  std::size_t expected = 1;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::uint8_t* at = b.data() + 4 + 4 * axis;
    const std::uint32_t extent = (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
    array.shape.push_back(extent);
    // Saturates: a header that promises more than any file holds is caught by the comparison below.
    if (__builtin_mul_overflow(expected, static_cast<std::size_t>(extent), &expected)) expected = ~std::size_t{0};
  }
  const std::size_t elements = b.size() - array.offset;
  if (elements != expected) {
    throw fault(std::to_string(elements) + " bytes of data where its header says " + models::to_string(array.shape) +
                (elements < expected ? " (cut short)" : ""));
  }
  return array;
}

}  // namespace

std::string find_idx(const std::string& directory, const std::string& stem) {
  const auto plain = std::filesystem::path(directory) / stem;
  const auto zipped = std::filesystem::path(directory) / (stem + ".gz");
  std::error_code error;
  return std::filesystem::exists(plain, error) ? plain.string() : zipped.string();
}

Rows read_idx(const std::string& images_path, const std::string& labels_path) {
  const IdxArray images = parse_idx(images_path, "an IDX file of images");
  const IdxArray labels = parse_idx(labels_path, "an IDX file of labels");
  if (images.shape.size() != 3 && images.shape.size() != 4) {
    throw UserError(Fault{.file = images_path,
                          .expected = "expected images [rows, height, width] or [rows, channels, height, width]",
                          .got = models::to_string(images.shape)});
  }
  if (labels.shape.size() != 1 || labels.shape[0] != images.shape[0]) {
    throw UserError(Fault{.file = labels_path,
                          .expected = "expected one label for each of " + std::to_string(images.shape[0]) + " images",
                          .got = models::to_string(labels.shape)});
  }
  std::vector<std::int64_t> shape = images.shape;
  if (shape.size() == 3) shape.insert(shape.begin() + 1, 1);
  Rows rows;
  at::Tensor pixels = at::empty(shape, at::kByte);
  if (pixels.numel() > 0) std::memcpy(pixels.data_ptr(), images.bytes.data() + images.offset, static_cast<std::size_t>(pixels.numel()));
  rows.inputs.push_back(pixels);
  rows.labels = at::empty({labels.shape[0]}, at::kLong);
  for (std::int64_t i = 0; i < labels.shape[0]; ++i) {
    rows.labels.data_ptr<std::int64_t>()[i] = labels.bytes[labels.offset + static_cast<std::size_t>(i)];
  }
  return rows;
}

}  // namespace lathe::evaluators

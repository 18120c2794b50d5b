#include "evaluators/readers/npy_reader.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <optional>
#include <regex>

#include "evaluators/readers/file_bytes.h"
#include "models/base/error.h"
#include "models/tensor.h"

namespace lathe::evaluators {
namespace {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t offset = 0;  // of the first element
};

std::optional<at::ScalarType> scalar_type(const std::string& descr) {
  if (descr == "<i8") return at::kLong;
  if (descr == "<i4") return at::kInt;
  if (descr == "<f4") return at::kFloat;
  if (descr == "<f8") return at::kDouble;
  if (descr == "|u1") return at::kByte;
  if (descr == "|b1") return at::kBool;
  return std::nullopt;
}

std::optional<NpyHeader> parse_header(const std::vector<std::uint8_t>& bytes) {
  constexpr std::size_t kMagic = 6;
  if (bytes.size() < kMagic + 6 || std::memcmp(bytes.data(), "\x93NUMPY", kMagic) != 0) return std::nullopt;
  const bool is_version_1 = bytes[kMagic] == 1;
  const std::size_t length_bytes = is_version_1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= std::size_t{bytes[kMagic + 2 + i]} << (8 * i);
  NpyHeader header;
  header.offset = kMagic + 2 + length_bytes + length;
  if (header.offset > bytes.size()) return std::nullopt;
  const std::string text(reinterpret_cast<const char*>(bytes.data()) + kMagic + 2 + length_bytes, length);
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(R"('descr'\s*:\s*'([^']*)')"))) return std::nullopt;
  header.descr = match[1];
  if (!std::regex_search(text, match, std::regex(R"('fortran_order'\s*:\s*(True|False))"))) return std::nullopt;
  header.fortran_order = match[1] == "True";
  if (!std::regex_search(text, match, std::regex(R"('shape'\s*:\s*\(([0-9,\sL]*)\))"))) return std::nullopt;
  const std::string extents = match[1];
  const std::regex number("[0-9]{1,18}");
  for (auto it = std::sregex_iterator(extents.begin(), extents.end(), number); it != std::sregex_iterator(); ++it) {
    header.shape.push_back(std::stoll(it->str()));
  }
  return header;
}

}  // namespace

at::Tensor read_npy(const std::string& path) {
  const auto bytes = read_file(path, "a NumPy array (.npy)");
  const auto header = parse_header(bytes);
  if (!header)
    throw UserError(Fault{.file = path, .expected = "expected a NumPy array (.npy), but its header is damaged or another format's"});
  const auto type = scalar_type(header->descr);
  if (!type) {
    throw UserError(Fault{.file = path,
                          .expected = "expected elements of type int64, int32, float32, float64, uint8 or bool, little endian",
                          .got = header->descr});
  }
  if (header->fortran_order && header->shape.size() > 1) {
    throw UserError(Fault{.file = path, .expected = "expected C order, got Fortran order (save numpy.ascontiguousarray(a))"});
  }
  std::size_t expected = c10::elementSize(*type);
  for (const auto extent : header->shape) {
    if (__builtin_mul_overflow(expected, static_cast<std::size_t>(extent), &expected)) expected = ~std::size_t{0};
  }
  const std::size_t size = bytes.size() - header->offset;
  if (size < expected) {
    throw UserError(Fault{.file = path,
                          .expected = "expected " + models::to_string(header->shape) + " elements, got " + std::to_string(size) +
                                      " bytes of data (cut short)"});
  }
  at::Tensor array = at::empty(header->shape, *type);
  if (expected > 0) std::memcpy(array.data_ptr(), bytes.data() + header->offset, expected);
  if (*type == at::kByte) return array;
  return array.to(at::isFloatingType(*type) ? at::kFloat : at::kLong);
}

}  // namespace lathe::evaluators

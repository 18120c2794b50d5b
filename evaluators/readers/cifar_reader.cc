#include "evaluators/readers/cifar_reader.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <filesystem>

#include "evaluators/readers/file_bytes.h"
#include "models/base/error.h"

namespace lathe::evaluators {
namespace {

constexpr std::int64_t kPixels = 3 * 32 * 32;
constexpr std::int64_t kRecord = 1 + kPixels;
constexpr int kClasses = 10;

}  // namespace

Rows read_cifar10(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  const auto bytes = read_file(path, "CIFAR-10's " + name + " (binary version)");
  const std::int64_t size = static_cast<std::int64_t>(bytes.size());
  if (size == 0) throw UserError(Fault{.file = path, .expected = "expected CIFAR-10 records, got an empty file"});
  if (size % kRecord != 0) {
    throw UserError(Fault{.file = path,
                          .expected = "expected records of " + std::to_string(kRecord) + " bytes, got " + std::to_string(size) +
                                      " bytes: cut short, or not CIFAR-10's binary version"});
  }
  const std::int64_t count = size / kRecord;
  Rows rows;
  rows.inputs.push_back(at::empty({count, 3, 32, 32}, at::kByte));
  rows.labels = at::empty({count}, at::kLong);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint8_t* record = bytes.data() + i * kRecord;
    if (record[0] >= kClasses) {
      throw UserError(Fault{.file = path,
                            .key = "record " + std::to_string(i),
                            .expected = "expected a label from 0 to 9",
                            .got = std::to_string(record[0])});
    }
    rows.labels.data_ptr<std::int64_t>()[i] = record[0];
    std::memcpy(rows.inputs[0].data_ptr<std::uint8_t>() + i * kPixels, record + 1, kPixels);
  }
  return rows;
}

}  // namespace lathe::evaluators

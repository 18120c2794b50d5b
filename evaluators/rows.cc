#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <numeric>

#include "evaluators/dataset.h"
#include "models/base/check.h"

namespace lathe::evaluators {
namespace {

constexpr double kPixelScale = 1.0 / 255.0;

// Images as the network takes them: bytes scaled to 0..1, then (x - mean) / stddev by channel. Everything else as it is.
at::Tensor prepared(const at::Tensor& input, const Rows& rows) {
  const bool is_bytes = input.scalar_type() == at::kByte;
  at::Tensor x = is_bytes ? input.to(at::kFloat).mul_(kPixelScale) : input;
  if (rows.mean.empty() || x.dim() != 4 || x.scalar_type() != at::kFloat) return x;
  const std::vector<std::int64_t> by_channel{1, static_cast<std::int64_t>(rows.mean.size()), 1, 1};
  const at::Tensor mean = at::tensor(at::ArrayRef<float>(rows.mean)).view(by_channel).to(x.device());
  const at::Tensor stddev = at::tensor(at::ArrayRef<float>(rows.stddev)).view(by_channel).to(x.device());
  return is_bytes ? x.sub_(mean).div_(stddev) : x.sub(mean).div_(stddev);
}

at::Tensor index_tensor(const std::vector<std::int64_t>& indices) {
  return at::tensor(at::ArrayRef<std::int64_t>(indices), at::TensorOptions().dtype(at::kLong));
}

}  // namespace

std::int64_t Rows::size() const {
  return labels.defined() ? labels.size(0) : 0;
}

std::vector<at::Tensor> Rows::batch(std::int64_t begin, std::int64_t end) const {
  LATHE_CHECK(0 <= begin && begin <= end && end <= size()) << begin << ", " << end << " of " << size();
  std::vector<at::Tensor> result;
  for (const auto& input : inputs) result.push_back(prepared(input.narrow(0, begin, end - begin), *this));
  return result;
}

std::vector<at::Tensor> Rows::batch(const std::vector<std::int64_t>& rows) const {
  const at::Tensor index = index_tensor(rows);
  std::vector<at::Tensor> result;
  for (const auto& input : inputs) result.push_back(prepared(at::index_select(input, 0, index), *this));
  return result;
}

Rows select(const Rows& rows, const std::vector<std::int64_t>& indices) {
  const at::Tensor index = index_tensor(indices);
  Rows result{.mean = rows.mean, .stddev = rows.stddev};
  for (const auto& input : rows.inputs) result.inputs.push_back(at::index_select(input, 0, index));
  result.labels = at::index_select(rows.labels, 0, index);
  return result;
}

namespace {

Rows narrowed(const Rows& rows, std::int64_t begin, std::int64_t count) {
  LATHE_CHECK_LE(begin + count, rows.size());
  Rows result{.mean = rows.mean, .stddev = rows.stddev};
  for (const auto& input : rows.inputs) result.inputs.push_back(input.narrow(0, begin, count));
  result.labels = rows.labels.narrow(0, begin, count);
  return result;
}

}  // namespace

Rows first_rows(const Rows& rows, std::int64_t count) {
  return narrowed(rows, 0, count);
}

Rows rows_from(const Rows& rows, std::int64_t begin) {
  return narrowed(rows, begin, rows.size() - begin);
}

Rows on_device(Rows rows, const std::string& device) {
  for (auto& input : rows.inputs) input = input.to(at::Device(device));
  return rows;
}

}  // namespace lathe::evaluators

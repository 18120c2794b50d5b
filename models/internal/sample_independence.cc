#include "models/internal/sample_independence.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "models/base/rng.h"
#include "models/batch_shapes.h"
#include "models/executor.h"
#include "models/internal/torch_types.h"

namespace lathe::models::internal {
namespace {

// Rounding differs where a matrix product takes another path for another batch.
constexpr double kRelativeTolerance = 1e-3;

// Values beyond this (1 GiB of floats) are not made just to see.
constexpr std::int64_t kLargestTried = std::int64_t{1} << 28;

// Normal for floats; 0 or 1 for integers, which index a table of any size.
at::Tensor random_input(const Value& value, std::int64_t batch, Rng& rng) {
  Shape shape = value.shape;
  std::replace(shape.begin(), shape.end(), kDynamic, batch);
  const at::Tensor floats = at::empty(shape, at::kFloat);
  const bool is_float = at::isFloatingType(execution_type(value.type));
  for (std::int64_t i = 0; i < floats.numel(); ++i) {
    floats.data_ptr<float>()[i] = is_float ? static_cast<float>(rng.normal()) : static_cast<float>(rng.below(2));
  }
  return floats.to(execution_type(value.type));
}

bool is_close(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  if (a.numel() == 0) return true;
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item().toDouble() <= kRelativeTolerance * y.abs().max().item().toDouble();
}

}  // namespace

bool computes_samples_alone(const Network& network, std::int64_t batch) {
  const std::vector<Shape> shapes = shapes_at_batch(network, 2 * batch);
  if (std::any_of(shapes.begin(), shapes.end(), [](const Shape& shape) { return element_count(shape) > kLargestTried; })) return false;
  try {
    const at::NoGradGuard no_grad;
    const Executor executor(network);
    Rng rng(0, "sample independence");
    std::vector<at::Tensor> first, second, both;
    for (const ValueId id : network.inputs) {
      first.push_back(random_input(network.value(id), batch, rng));
      second.push_back(random_input(network.value(id), batch, rng));
      both.push_back(at::cat({first.back(), second.back()}));
    }
    const auto a = executor.run(first), b = executor.run(second), whole = executor.run(both);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      if (whole[i].dim() == 0 || !is_close(whole[i], at::cat({a[i], b[i]}))) return false;
    }
    return true;
  } catch (const std::exception&) {
    return false;  // a shape that cannot grow with the batch
  }
}

}  // namespace lathe::models::internal

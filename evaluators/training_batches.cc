#include "evaluators/training_batches.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/base/check.h"
#include "models/base/rng.h"

namespace lathe::evaluators {
namespace {

// One random draw for one image.
struct Change {
  std::int64_t shift_y = 0, shift_x = 0;  // the crop starts here in the image; what lies outside is zero
  bool is_flipped = false;
  std::int64_t hole_y = 0, hole_x = 0;  // centre of the cutout
};

// For one row of an epoch. Epochs and rows stay far below 2^24 and 2^40, so that each pair has a stream of its own.
Change draw(const AugmentationOptions& options, std::int64_t height, std::int64_t width, std::uint64_t seed, std::int64_t epoch,
            std::int64_t row) {
  Rng rng(seed, "augmentation", (static_cast<std::uint64_t>(epoch) << 40) + static_cast<std::uint64_t>(row));
  Change change;
  if (options.crop_padding > 0) {
    change.shift_y = rng.below(2 * options.crop_padding + 1) - options.crop_padding;
    change.shift_x = rng.below(2 * options.crop_padding + 1) - options.crop_padding;
  }
  if (options.horizontal_flip) change.is_flipped = rng.uniform() < 0.5;
  if (options.cutout > 0) {
    change.hole_y = rng.below(height);
    change.hole_x = rng.below(width);
  }
  return change;
}

// One plane [height, width]. `to` starts as zeros.
void copy_plane(const std::uint8_t* from, std::uint8_t* to, std::int64_t height, std::int64_t width, const Change& change) {
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t from_y = y + change.shift_y;
    if (from_y < 0 || from_y >= height) continue;
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t from_x = (change.is_flipped ? width - 1 - x : x) + change.shift_x;
      if (from_x >= 0 && from_x < width) to[y * width + x] = from[from_y * width + from_x];
    }
  }
}

void cut_hole(std::uint8_t* plane, std::int64_t height, std::int64_t width, const Change& change, int side, std::uint8_t value) {
  const std::int64_t top = change.hole_y - side / 2, left = change.hole_x - side / 2;
  for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + side, height); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + side, width); ++x) plane[y * width + x] = value;
  }
}

at::Tensor augmented_images(const at::Tensor& images, const std::vector<float>& mean, const std::vector<std::int64_t>& indices,
                            const AugmentationOptions& options, std::uint64_t seed, std::int64_t epoch) {
  const at::Tensor source = images.contiguous();
  const std::int64_t channels = source.size(1), height = source.size(2), width = source.size(3), plane = height * width;
  at::Tensor result = at::zeros({static_cast<std::int64_t>(indices.size()), channels, height, width}, at::kByte);
  const std::uint8_t* from = source.data_ptr<std::uint8_t>();
  std::uint8_t* to = result.data_ptr<std::uint8_t>();
  for (const std::int64_t row : indices) {
    const Change change = draw(options, height, width, seed, epoch, row);
    for (std::int64_t c = 0; c < channels; ++c, to += plane) {
      copy_plane(from + (row * channels + c) * plane, to, height, width, change);
      const float hole = mean.empty() ? 0.0F : std::clamp(std::round(mean[static_cast<std::size_t>(c)] * 255.0F), 0.0F, 255.0F);
      if (options.cutout > 0) cut_hole(to, height, width, change, options.cutout, static_cast<std::uint8_t>(hole));
    }
  }
  return result;
}

bool is_augmented(const Rows& rows, const AugmentationOptions& options) {
  const bool is_images = rows.inputs.size() == 1 && rows.inputs[0].scalar_type() == at::kByte && rows.inputs[0].dim() == 4;
  return is_images && !(options == AugmentationOptions{});
}

// The interval [centre - size / 2, centre + size / 2] cut to [0, extent].
void cut_interval(float& centre, float& size, float extent) {
  const float low = std::clamp(centre - size / 2, 0.0F, extent), high = std::clamp(centre + size / 2, 0.0F, extent);
  centre = (low + high) / 2;
  size = high - low;
}

// object: class, cx, cy, w, h.
void move_object(at::TensorAccessor<float, 1> object, float height, float width, const Change& change) {
  if (object[0] < 0) return;
  object[1] -= static_cast<float>(change.shift_x);
  object[2] -= static_cast<float>(change.shift_y);
  if (change.is_flipped) object[1] = width - object[1];
  const float area = object[3] * object[4];
  cut_interval(object[1], object[3], width);
  cut_interval(object[2], object[4], height);
  if (object[3] * object[4] < area / 2) object[0] = -1;
}

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Rng rng(seed, "epoch order", static_cast<std::uint64_t>(epoch));
  rng.shuffle(order);
  return order;
}

std::vector<at::Tensor> augmented_batch(const Rows& rows, const std::vector<std::int64_t>& indices, const AugmentationOptions& options,
                                        std::uint64_t seed, std::int64_t epoch) {
  if (!is_augmented(rows, options)) return rows.batch(indices);
  Rows changed{.mean = rows.mean, .stddev = rows.stddev};
  changed.inputs = {augmented_images(rows.inputs[0], rows.mean, indices, options, seed, epoch)};
  changed.labels = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);  // only counted by batch()
  return changed.batch(0, changed.size());
}

at::Tensor augmented_labels(const Rows& rows, const std::vector<std::int64_t>& indices, const AugmentationOptions& options,
                            std::uint64_t seed, std::int64_t epoch) {
  const at::Tensor index = at::tensor(at::ArrayRef<std::int64_t>(indices), at::TensorOptions().dtype(at::kLong));
  at::Tensor labels = rows.labels.index_select(0, index);
  if (!are_objects(labels) || !is_augmented(rows, options)) return labels;
  const std::int64_t height = rows.inputs[0].size(2), width = rows.inputs[0].size(3);
  const auto objects = labels.accessor<float, 3>();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Change change = draw(options, height, width, seed, epoch, indices[i]);
    for (std::int64_t o = 0; o < objects.size(1); ++o)
      move_object(objects[static_cast<std::int64_t>(i)][o], static_cast<float>(height), static_cast<float>(width), change);
  }
  return labels;
}

}  // namespace lathe::evaluators

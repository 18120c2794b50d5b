// Shuffled, augmented training batches as a pure function of (seed, epoch, row): the thread count and the batch size change no image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "evaluators/dataset.h"

namespace lathe::evaluators {

struct AugmentationOptions {
  int crop_padding = 0;          // pixels of zeros (of the raw image) on each side before a random crop of the old size
  bool horizontal_flip = false;  // with probability 1/2
  int cutout = 0;                // side of a square set to the channel's mean, centred anywhere; T. DeVries, G. Taylor, 2017
  bool operator==(const AugmentationOptions&) const = default;
};

// The order in which an epoch visits rows [0, count).
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

// The listed rows as the network takes them, images augmented. Rows that are not images are passed unchanged.
std::vector<at::Tensor> augmented_batch(const Rows& rows, const std::vector<std::int64_t>& indices, const AugmentationOptions& options,
                                        std::uint64_t seed, std::int64_t epoch);

// The labels of these rows. Objects move with their images and are cut at the border; one of which less than half is left is dropped.
at::Tensor augmented_labels(const Rows& rows, const std::vector<std::int64_t>& indices, const AugmentationOptions& options,
                            std::uint64_t seed, std::int64_t epoch);

}  // namespace lathe::evaluators

// Data sets in memory, and their three disjoint splits: calibration (ranges, BatchNorm), search (chooses), test (is reported).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::evaluators {

// Rows of one split. inputs: one tensor for each network input, first extent = rows; images are stored as uint8 [n, c, h, w] and
// normalized batch by batch, token ids as int64.
struct Rows {
  std::vector<at::Tensor> inputs;
  at::Tensor labels;                      // int64 [n]
  std::vector<float> mean, stddev;        // by channel, on the 0..1 scale; empty = inputs are used as they are
  std::int64_t size() const;
  // Rows [begin, end) as the network takes them: float32 (images normalized) or int64.
  std::vector<at::Tensor> batch(std::int64_t begin, std::int64_t end) const;
  std::vector<at::Tensor> batch(const std::vector<std::int64_t>& rows) const;
};

struct Dataset {
  std::string name;
  int classes = 0;
  Rows train;                             // empty where none is needed or present
  Rows calibration, search, test;
};

// What the config's `data:` section says. `kind`: idx, cifar10, image_folder, npy.
struct DataOptions {
  std::string kind;
  std::string path;                       // directory
  std::vector<float> mean, stddev;
  int image_size = 0;                     // image_folder: must match, no resizing
  std::int64_t calibration_rows = 512, search_rows = 1000, test_rows = 0;   // test 0 = all that remain
  bool load_train = false;
  int split = 0;                          // which of the fixed shuffles (ImageNet samples have five)
  std::string inputs_train, inputs_test;  // npy: comma-separated files, in the order of the network's inputs
  std::string labels_train, labels_test;
};

// Throws UserError: missing or truncated files, labels out of range, too few rows.
Dataset load_dataset(const DataOptions& options);

}  // namespace lathe::evaluators

// Data sets in memory, and their three disjoint splits: calibration (ranges, BatchNorm), search (chooses), test (is reported).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::evaluators {

// Rows of one split. inputs: one tensor for each network input, first extent = rows; images are stored as uint8 [n, c, h, w] and
// normalized batch by batch, token ids as int64.
struct Rows {
  std::vector<at::Tensor> inputs;
  // A class a row, int64 [n]; or the objects of each image for detectors, float [n, objects, 5]: class (-1 fills the rest), then the box by
  // its centre in pixels of the image, cx, cy, w, h.
  at::Tensor labels;
  std::vector<float> mean, stddev;  // by channel, on the 0..1 scale; empty = inputs are used as they are
  std::int64_t size() const;
  // Rows [begin, end) as the network takes them: float32 (images normalized) or int64.
  std::vector<at::Tensor> batch(std::int64_t begin, std::int64_t end) const;
  std::vector<at::Tensor> batch(const std::vector<std::int64_t>& rows) const;
};

// Of labels: whether they are objects, not classes.
inline bool are_objects(const at::Tensor& labels) {
  return labels.dim() == 3;
}

struct Dataset {
  std::string name;
  std::string note;  // what the user should know of the splits ("calibration rows come from ..."); "" if nothing
  int classes = 0;
  bool search_rows_were_trained_on = false;  // then choose by agreement with the float network, not by accuracy
  Rows train;                                // all training rows (npy: without the search rows); empty unless load_train
  Rows calibration, search, test;
};

// What the config's `data:` section says. `kind`: idx, cifar10, image_folder, npy, detection.
struct DataOptions {
  std::string kind;
  std::string path;  // directory
  std::vector<float> mean, stddev;
  int image_size = 0;  // image_folder: must match, no resizing
  int classes = 0;     // of the network; labels must be below. 0 = as many as the labels say
  std::int64_t calibration_rows = 512, search_rows = 1000, test_rows = 0;  // test 0 = all that remain
  bool load_train = false;
  int split = 0;                          // which of the fixed shuffles (ImageNet samples have five)
  std::string inputs_train, inputs_test;  // npy, detection: comma-separated files, in the order of the network's inputs
  std::string labels_train, labels_test;
};

// Where the rows come from:
//   idx           calibration: train-*; search: the first half of t10k-* (shuffled once and for all), test: the second half. A larger
//                 search_rows or test_rows moves the border.
//   cifar10       calibration: data_batch_N.bin where unpacked, else rows of the first half of test_batch.bin that search does not take
//                 (Dataset::note says so); search: the first 5,000 rows; test: the last 5,000.
//   image_folder  all three from one folder by the fixed shuffle number `split`. JPEG or PNG; classes from labels.csv (columns file,
//                 class), else from sub-folders in alphabetical order. Three channels unless mean has one entry.
//   npy           calibration and search: the train files (choose by agreement); test: all of the test files.
//   detection     images uint8 [n, c, h, w] and objects float [n, objects, 5] (see Rows::labels) as .npy; split as idx is.
// Throws UserError: missing or truncated files, labels out of range, too few rows.
Dataset load_dataset(const DataOptions& options);

// Throws UserError, naming both shapes, where the network cannot take the rows (number, rank, extents or type of its inputs) or has
// fewer outputs than the labels have classes.
void check_matches(const Dataset& dataset, const models::Network& network);

// Rows of `rows` that are listed, in that order; [0, count) of it; [begin, size) of it.
Rows select(const Rows& rows, const std::vector<std::int64_t>& indices);
Rows first_rows(const Rows& rows, std::int64_t count);
Rows rows_from(const Rows& rows, std::int64_t begin);
// The same rows with their inputs where batch(begin, end) is to give them (compute_device.h); labels stay on the CPU.
Rows on_device(Rows rows, const std::string& device);

}  // namespace lathe::evaluators

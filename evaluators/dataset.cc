#include "evaluators/dataset.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/max.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>

#include "evaluators/readers/cifar_reader.h"
#include "evaluators/readers/idx_reader.h"
#include "evaluators/readers/image_folder_reader.h"
#include "evaluators/readers/npy_rows.h"
#include "models/base/error.h"
#include "models/base/rng.h"
#include "models/tensor.h"

namespace lathe::evaluators {
namespace {

namespace fs = std::filesystem;
using Indices = std::vector<std::int64_t>;

// The shuffles are part of the meaning of "search split" and "test split": they depend on nothing that the user sets but `split`.
constexpr std::uint64_t kSplitSeed = 20231124;

Indices iota(std::int64_t begin, std::int64_t end) {
  Indices indices(static_cast<std::size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

Indices shuffled(Indices indices, std::string_view purpose, int split) {
  Rng rng(kSplitSeed, purpose, static_cast<std::uint64_t>(split));
  rng.shuffle(indices);
  return indices;
}

Indices slice(const Indices& indices, std::int64_t begin, std::int64_t end) {
  return {indices.begin() + begin, indices.begin() + end};
}

void require_rows(const std::string& file, const std::string& key, std::int64_t wanted, std::int64_t available) {
  if (wanted <= available) return;
  throw UserError(Fault{.file = file,
                        .key = "data." + key,
                        .expected = "expected at most " + std::to_string(available) + " rows, because that is how many there are for it",
                        .got = std::to_string(wanted)});
}

void require_not_empty(const Rows& rows, const std::string& file) {
  if (rows.size() == 0) throw UserError(Fault{.file = file, .expected = "expected labelled rows, but there are none"});
}

// Labels below `classes` (where given). The row is named as the file counts it.
void check_labels(const Rows& rows, const std::string& file, int classes) {
  const std::int64_t* labels = rows.labels.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    if (labels[i] >= 0 && (classes == 0 || labels[i] < classes)) continue;
    const std::string legal = classes > 0 ? " to " + std::to_string(classes - 1) + " (the network's classes)" : "";
    throw UserError(Fault{
        .file = file, .key = "row " + std::to_string(i), .expected = "expected a label from 0" + legal, .got = std::to_string(labels[i])});
  }
}

// Takes the search rows from [0, border) and the test rows from [border, n) of a file that no network was trained on.
struct HeldOutSplit {
  Indices search, test, unused_of_search_half;
};

HeldOutSplit split_held_out(std::int64_t count, std::int64_t border, const DataOptions& options, const std::string& file) {
  require_rows(file, "search_rows", options.search_rows, border);
  require_rows(file, "test_rows", options.test_rows, count - border);
  const Indices first = shuffled(iota(0, border), "search half", options.split);
  const Indices second = shuffled(iota(border, count), "test half", options.split);
  const std::int64_t test_rows = options.test_rows > 0 ? options.test_rows : count - border;
  return {.search = slice(first, 0, options.search_rows),
          .test = slice(second, 0, test_rows),
          .unused_of_search_half = slice(first, options.search_rows, border)};
}

// Half, unless one side asks for more.
std::int64_t movable_border(std::int64_t count, const DataOptions& options) {
  const std::int64_t half = count / 2;
  if (options.search_rows > half) return std::min(options.search_rows, count - 1);
  if (options.test_rows > count - half) return std::max<std::int64_t>(count - options.test_rows, 0);
  return half;
}

Rows calibration_from_train(const Rows& train, const DataOptions& options, const std::string& file) {
  require_rows(file, "calibration_rows", options.calibration_rows, train.size());
  return select(train, slice(shuffled(iota(0, train.size()), "calibration", options.split), 0, options.calibration_rows));
}

// Calibration from training rows, search and test from rows that no network was trained on.
Dataset divided(const Rows& train, const std::string& train_file, const Rows& held_out, const std::string& held_out_file,
                const DataOptions& options) {
  const auto split = split_held_out(held_out.size(), movable_border(held_out.size(), options), options, held_out_file);
  return {.name = fs::path(options.path).filename().string(),
          .train = options.load_train ? train : Rows{},
          .calibration = calibration_from_train(train, options, train_file),
          .search = select(held_out, split.search),
          .test = select(held_out, split.test)};
}

Dataset load_idx(const DataOptions& options) {
  const auto read = [&](const std::string& stem) {
    const std::string images = find_idx(options.path, stem + "-images-idx3-ubyte"),
                      labels = find_idx(options.path, stem + "-labels-idx1-ubyte");
    Rows rows = read_idx(images, labels);
    require_not_empty(rows, images);
    check_labels(rows, labels, options.classes);
    return std::pair(std::move(rows), images);
  };
  const auto [train, train_file] = read("train");
  const auto [held_out, held_out_file] = read("t10k");
  return divided(train, train_file, held_out, held_out_file, options);
}

Dataset load_detection(const DataOptions& options) {
  const Rows train = read_object_rows(options, "train"), held_out = read_object_rows(options, "test");
  require_not_empty(train, options.labels_train);
  require_not_empty(held_out, options.labels_test);
  return divided(train, options.labels_train, held_out, options.labels_test, options);
}

std::string unpack_hint(const std::string& directory) {
  if (!fs::exists(fs::path(directory) / "unpack_cifar10.py")) return "";
  return "; unpack the archives first: python3 " + (fs::path(directory) / "unpack_cifar10.py").string() +
         " DEST, then set data.path to DEST";
}

std::vector<std::string> cifar_train_files(const std::string& directory) {
  std::vector<std::string> files;
  for (int i = 1; i <= 5; ++i) {
    const auto path = fs::path(directory) / ("data_batch_" + std::to_string(i) + ".bin");
    if (fs::exists(path)) files.push_back(path.string());
  }
  return files;
}

Rows read_cifar10_train(const DataOptions& options, const std::vector<std::string>& files) {
  if (files.empty()) {
    throw UserError(
        Fault{.file = options.path,
              .expected = "expected CIFAR-10's training images data_batch_1.bin to data_batch_5.bin" + unpack_hint(options.path)});
  }
  std::vector<at::Tensor> images, labels;
  for (const auto& file : files) {
    const Rows rows = read_cifar10(file);
    images.push_back(rows.inputs[0]);
    labels.push_back(rows.labels);
  }
  return {.inputs = {at::cat(images)}, .labels = at::cat(labels)};
}

Dataset load_cifar10(const DataOptions& options) {
  const std::string file = (fs::path(options.path) / "test_batch.bin").string();
  const Rows held_out = read_cifar10(file);
  const auto split = split_held_out(held_out.size(), held_out.size() / 2, options, file);
  Dataset data{.name = "cifar10", .search = select(held_out, split.search), .test = select(held_out, split.test)};
  const auto train_files = cifar_train_files(options.path);
  if (options.load_train) data.train = read_cifar10_train(options, train_files);
  if (!train_files.empty()) {
    // Of the first file alone, so that the rows do not depend on whether all training images were wanted.
    data.calibration = calibration_from_train(read_cifar10(train_files[0]), options, train_files[0]);
    return data;
  }
  const std::int64_t unused = static_cast<std::int64_t>(split.unused_of_search_half.size());
  if (options.calibration_rows > unused) {
    throw UserError(Fault{.file = file,
                          .key = "data.calibration_rows",
                          .expected = "expected at most " + std::to_string(unused) +
                                      " rows, which data.search_rows leaves of the search half, because no training images are there" +
                                      unpack_hint(options.path),
                          .got = std::to_string(options.calibration_rows)});
  }
  data.calibration = select(held_out, slice(split.unused_of_search_half, 0, options.calibration_rows));
  data.note =
      "calibration rows come from the search half of test_batch.bin (rows that the search does not measure), because no training "
      "images (data_batch_N.bin) are in " +
      options.path + unpack_hint(options.path);
  return data;
}

Dataset load_image_folder(const DataOptions& options) {
  const Rows all = read_image_folder({.directory = options.path,
                                      .channels = options.mean.size() == 1 ? 1 : 3,
                                      .image_size = options.image_size,
                                      .classes = options.classes});
  const std::int64_t calibration_end = options.calibration_rows, search_end = calibration_end + options.search_rows;
  const std::int64_t test_end = options.test_rows > 0 ? search_end + options.test_rows : std::max(all.size(), search_end + 1);
  if (test_end > all.size()) {
    throw UserError(Fault{.file = options.path,
                          .key = "data",
                          .expected = "expected at least " + std::to_string(test_end) + " images for calibration_rows " +
                                      std::to_string(options.calibration_rows) + ", search_rows " + std::to_string(options.search_rows) +
                                      " and test_rows " + std::to_string(options.test_rows) + ", got " + std::to_string(all.size())});
  }
  const Indices order = shuffled(iota(0, all.size()), "image folder", options.split);
  return {.name = fs::path(options.path).filename().string(),
          .calibration = select(all, slice(order, 0, calibration_end)),
          .search = select(all, slice(order, calibration_end, search_end)),
          .test = select(all, slice(order, search_end, test_end))};
}

Dataset load_npy(const DataOptions& options) {
  const auto read = [&](const std::string& which) {
    Rows rows = read_class_rows(options, which);
    const std::string& file = which == "train" ? options.labels_train : options.labels_test;
    require_not_empty(rows, file);
    check_labels(rows, file, options.classes);
    return rows;
  };
  const Rows train = read("train"), held_out = read("test");
  const std::string train_file = options.labels_train, test_file = options.labels_test;
  require_rows(train_file, "calibration_rows + data.search_rows", options.calibration_rows + options.search_rows, train.size());
  require_rows(test_file, "test_rows", options.test_rows, held_out.size());
  const Indices order = shuffled(iota(0, train.size()), "training rows", options.split);
  const std::int64_t search_end = options.search_rows, calibration_end = search_end + options.calibration_rows;
  return {.name = fs::path(options.path).filename().string(),
          .note = "search rows are training rows of the network: choose by agreement with the float network",
          .search_rows_were_trained_on = true,
          .train = options.load_train ? select(train, slice(order, search_end, train.size())) : Rows{},
          .calibration = select(train, slice(order, search_end, calibration_end)),
          .search = select(train, slice(order, 0, search_end)),
          .test = first_rows(held_out, options.test_rows > 0 ? options.test_rows : held_out.size())};
}

void check_options(const DataOptions& options) {
  std::vector<Fault> faults;
  const auto require = [&](bool is_right, const std::string& key, const std::string& expected, const std::string& got) {
    if (!is_right) faults.push_back({.key = "data." + key, .expected = "expected " + expected, .got = got});
  };
  require(options.calibration_rows > 0, "calibration_rows", "at least 1", std::to_string(options.calibration_rows));
  require(options.search_rows > 0, "search_rows", "at least 1", std::to_string(options.search_rows));
  require(options.test_rows >= 0, "test_rows", "at least 0 (0 = all that remain)", std::to_string(options.test_rows));
  require(options.split >= 0, "split", "at least 0", std::to_string(options.split));
  require(options.image_size >= 0, "image_size", "at least 0", std::to_string(options.image_size));
  require(options.mean.size() == options.stddev.size(), "stddev",
          "as many entries as data.mean has (" + std::to_string(options.mean.size()) + ")", std::to_string(options.stddev.size()));
  for (const float s : options.stddev) require(s > 0, "stddev", "numbers above 0", std::to_string(s));
  if (!faults.empty()) throw UserError(faults);
}

void set_normalization(Dataset& data, const DataOptions& options) {
  for (const auto& input : data.search.inputs) {
    if (input.dim() != 4 || options.mean.empty() || input.size(1) == static_cast<std::int64_t>(options.mean.size())) continue;
    throw UserError(Fault{.key = "data.mean",
                          .expected = "expected one entry for each of " + std::to_string(input.size(1)) + " channels of " + options.path,
                          .got = std::to_string(options.mean.size()) + " entries"});
  }
  for (Rows* rows : {&data.train, &data.calibration, &data.search, &data.test}) {
    rows->mean = options.mean;
    rows->stddev = options.stddev;
  }
}

}  // namespace

Dataset load_dataset(const DataOptions& options) {
  check_options(options);
  static const std::vector<std::pair<std::string, std::function<Dataset(const DataOptions&)>>> kKinds{
      {"idx", load_idx}, {"cifar10", load_cifar10}, {"image_folder", load_image_folder}, {"npy", load_npy}, {"detection", load_detection}};
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& entry) { return entry.first == options.kind; });
  if (kind == kKinds.end()) {
    throw UserError(
        Fault{.key = "data.kind", .expected = "expected one of idx, cifar10, image_folder, npy, detection", .got = options.kind});
  }
  std::error_code error;
  if (!fs::is_directory(options.path, error)) {
    throw UserError(Fault{.key = "data.path", .expected = "expected an existing directory", .got = options.path});
  }
  Dataset data = kind->second(options);
  set_normalization(data, options);
  for (const Rows* rows : {&data.train, &data.calibration, &data.search, &data.test}) {
    if (rows->size() == 0) continue;
    const at::Tensor classes = are_objects(rows->labels) ? rows->labels.select(2, 0) : rows->labels;
    data.classes = std::max(data.classes, static_cast<int>(at::max(classes).item().toDouble()) + 1);
  }
  data.classes = std::max(data.classes, options.classes);
  return data;
}

}  // namespace lathe::evaluators

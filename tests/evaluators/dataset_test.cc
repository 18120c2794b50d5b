#include "evaluators/dataset.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "models/base/error.h"
#include "tests/evaluators/data_files.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

std::string error_of(const DataOptions& options) {
  try {
    load_dataset(options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

// First pixel of each row, which tells the rows of these tests apart.
std::multiset<std::int64_t> first_pixels(const Rows& rows) {
  std::multiset<std::int64_t> result;
  for (std::int64_t i = 0; i < rows.size(); ++i) result.insert(rows.inputs[0][i].flatten()[0].item().toLong());
  return result;
}

TEST(LoadDataset, SplitsIdxFilesIntoFixedHalves) {
  TemporaryFolder folder;
  write_idx_pair(folder.path(), "train", 50, 10);
  write_idx_pair(folder.path(), "t10k", 20, 10);
  DataOptions options{.kind = "idx", .path = folder.path(), .calibration_rows = 8, .search_rows = 6};
  const Dataset data = load_dataset(options);
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.calibration.size(), 8);
  EXPECT_EQ(data.search.size(), 6);
  EXPECT_EQ(data.train.size(), 0);
  EXPECT_EQ(first_pixels(data.test), (std::multiset<std::int64_t>{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
  const auto search_pixels = first_pixels(data.search);
  for (const auto pixel : search_pixels) EXPECT_LT(pixel, 10);
  EXPECT_EQ(std::set(search_pixels.begin(), search_pixels.end()).size(), 6U);

  // The same rows again; fewer of them are the first of these.
  options.search_rows = 3;
  EXPECT_TRUE(at::equal(load_dataset(options).search.inputs[0], data.search.inputs[0].narrow(0, 0, 3)));
  // More search rows than half move the border; the splits stay disjoint.
  options.search_rows = 15;
  EXPECT_EQ(first_pixels(load_dataset(options).test), (std::multiset<std::int64_t>{15, 16, 17, 18, 19}));
  options.load_train = true;
  EXPECT_EQ(load_dataset(options).train.size(), 50);
  options.search_rows = 21;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("data.search_rows"), HasSubstr("at most 19"), HasSubstr("'21'")));
}

TEST(LoadDataset, TakesCifarCalibrationRowsFromTrainingImagesOrTheSearchHalf) {
  TemporaryFolder folder;
  std::string records;
  for (int i = 0; i < 20; ++i) records += cifar_record(i % 10, i);
  write_bytes(folder.path("test_batch.bin"), records);
  write_bytes(folder.path("unpack_cifar10.py"), "");
  DataOptions options{.kind = "cifar10", .path = folder.path(), .calibration_rows = 4, .search_rows = 6};
  const Dataset without_train = load_dataset(options);
  EXPECT_THAT(without_train.note, AllOf(HasSubstr("search half"), HasSubstr("unpack_cifar10.py")));
  auto pixels = first_pixels(without_train.search);
  pixels.merge(first_pixels(without_train.calibration));
  EXPECT_EQ(pixels, (std::multiset<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(first_pixels(without_train.test), (std::multiset<std::int64_t>{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));

  options.calibration_rows = 5;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("data.calibration_rows"), HasSubstr("at most 4")));
  options.load_train = true;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("data_batch_1.bin"), HasSubstr("unpack")));

  std::string train;
  for (int i = 0; i < 8; ++i) train += cifar_record(i, 100 + i);
  write_bytes(folder.path("data_batch_1.bin"), train);
  write_bytes(folder.path("data_batch_2.bin"), train);
  const Dataset with_train = load_dataset(options);
  EXPECT_EQ(with_train.note, "");
  EXPECT_EQ(with_train.train.size(), 16);
  for (const auto pixel : first_pixels(with_train.calibration)) EXPECT_GE(pixel, 100);
  EXPECT_TRUE(at::equal(with_train.search.inputs[0], without_train.search.inputs[0]));
  // The halves of CIFAR-10 are fixed.
  options.search_rows = 11;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("data.search_rows"), HasSubstr("at most 10")));
}

TEST(LoadDataset, SearchesTokenArraysOnTrainingRowsAndReportsOnAllTestRows) {
  TemporaryFolder folder;
  std::vector<std::int64_t> ids, mask, labels;
  for (std::int64_t i = 0; i < 12; ++i) {
    ids.insert(ids.end(), {i, i + 1});
    mask.insert(mask.end(), {1, 0});
    labels.push_back(i % 2);
  }
  write_bytes(folder.path("ids.npy"), npy_bytes("<i8", "12, 2", raw(ids)));
  write_bytes(folder.path("mask.npy"), npy_bytes("<i8", "12, 2", raw(mask)));
  write_bytes(folder.path("labels.npy"), npy_bytes("<i8", "12,", raw(labels)));
  DataOptions options{.kind = "npy",
                      .path = folder.path(),
                      .calibration_rows = 3,
                      .search_rows = 5,
                      .load_train = true,
                      .inputs_train = "ids.npy, mask.npy",
                      .inputs_test = "ids.npy,mask.npy",
                      .labels_train = "labels.npy",
                      .labels_test = "labels.npy"};
  const Dataset data = load_dataset(options);
  EXPECT_TRUE(data.search_rows_were_trained_on);
  EXPECT_EQ(data.search.inputs.size(), 2U);
  EXPECT_EQ(data.search.size(), 5);
  EXPECT_EQ(data.test.size(), 12);
  EXPECT_EQ(data.train.size(), 7);
  EXPECT_EQ(data.test.batch(2, 4)[0].scalar_type(), at::kLong);
  auto rows = first_pixels(data.search);
  rows.merge(first_pixels(data.train));
  EXPECT_EQ(std::set(rows.begin(), rows.end()).size(), 12U) << "search rows must not be trained on";

  options.classes = 1;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("labels.npy"), HasSubstr("row 1"), HasSubstr("from 0 to 0")));
  options.classes = 0;
  options.search_rows = 10;
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("at most 12"), HasSubstr("'13'")));
  write_bytes(folder.path("mask.npy"), npy_bytes("<i8", "11, 2", raw(mask).substr(16)));
  EXPECT_THAT(error_of(options), AllOf(HasSubstr("mask.npy"), HasSubstr("each of 12 labels")));
}

TEST(LoadDataset, NamesBadOptions) {
  TemporaryFolder folder;
  EXPECT_THAT(error_of({.kind = "mnist", .path = folder.path()}),
              AllOf(HasSubstr("data.kind"), HasSubstr("idx, cifar10"), HasSubstr("'mnist'")));
  EXPECT_THAT(error_of({.kind = "idx", .path = folder.path("none")}), AllOf(HasSubstr("data.path"), HasSubstr("existing directory")));
  EXPECT_THAT(error_of({.kind = "idx", .path = folder.path()}), HasSubstr("train-images-idx3-ubyte"));
  EXPECT_THAT(error_of({.kind = "idx", .path = folder.path(), .mean = {0.5F}}), HasSubstr("data.stddev"));
  EXPECT_THAT(error_of({.kind = "idx", .path = folder.path(), .mean = {0.5F}, .stddev = {0.0F}}), HasSubstr("above 0"));
  EXPECT_THAT(error_of({.kind = "idx", .path = folder.path(), .search_rows = 0}), HasSubstr("data.search_rows"));
  write_idx_pair(folder.path(), "train", 9, 3);
  write_idx_pair(folder.path(), "t10k", 9, 3);
  const DataOptions wrong_mean{
      .kind = "idx", .path = folder.path(), .mean = {0, 0, 0}, .stddev = {1, 1, 1}, .calibration_rows = 2, .search_rows = 2};
  EXPECT_THAT(error_of(wrong_mean), AllOf(HasSubstr("data.mean"), HasSubstr("1 channels"), HasSubstr("3 entries")));
  const DataOptions bad_label{.kind = "idx", .path = folder.path(), .classes = 2, .calibration_rows = 2, .search_rows = 2};
  EXPECT_THAT(error_of(bad_label), AllOf(HasSubstr("row 2"), HasSubstr("from 0 to 1"), HasSubstr("'2'")));
}

TEST(RowsBatch, NormalizesImagesByChannel) {
  TemporaryFolder folder;
  write_idx_pair(folder.path(), "train", 9, 3);
  write_idx_pair(folder.path(), "t10k", 9, 3);
  const Dataset data =
      load_dataset({.kind = "idx", .path = folder.path(), .mean = {0.5F}, .stddev = {0.25F}, .calibration_rows = 2, .search_rows = 2});
  const at::Tensor batch = data.test.batch(1, 3)[0];
  EXPECT_EQ(batch.sizes(), (std::vector<std::int64_t>{2, 1, 2, 2}));
  const float pixel = static_cast<float>(data.test.inputs[0][2][0][1][1].item().toLong());
  EXPECT_FLOAT_EQ(batch[1][0][1][1].item().toFloat(), (pixel / 255.0F - 0.5F) / 0.25F);
  EXPECT_TRUE(at::equal(data.test.batch({2, 1})[0][0], batch[1]));
}

models::Network network_with(std::vector<models::Value> inputs, models::Value output) {
  models::Network network{.name = "net"};
  for (auto& value : inputs) network.inputs.push_back(network.add_value(std::move(value)));
  network.outputs.push_back(network.add_value(std::move(output)));
  return network;
}

std::string mismatch(const Dataset& data, const models::Network& network) {
  try {
    check_matches(data, network);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CheckMatches, NamesBothShapes) {
  TemporaryFolder folder;
  write_idx_pair(folder.path(), "train", 9, 3);
  write_idx_pair(folder.path(), "t10k", 9, 3);
  const Dataset data = load_dataset({.kind = "idx", .path = folder.path(), .calibration_rows = 2, .search_rows = 2});
  using models::DataType;
  using models::kDynamic;
  const models::Value image{"x", DataType::kFloat32, {kDynamic, 1, 2, 2}}, logits{"y", DataType::kFloat32, {kDynamic, 3}};
  EXPECT_EQ(mismatch(data, network_with({image}, logits)), "no error");
  EXPECT_EQ(mismatch(data, network_with({image}, {"y", DataType::kFloat32, {kDynamic, 5, 1, 1}})), "no error");
  EXPECT_THAT(mismatch(data, network_with({{"x", DataType::kFloat32, {kDynamic, 3, 32, 32}}}, logits)),
              AllOf(HasSubstr("[N, 3, 32, 32]"), HasSubstr("[N, 1, 2, 2]")));
  EXPECT_THAT(mismatch(data, network_with({{"x", DataType::kInt64, {kDynamic, 1, 2, 2}}}, logits)),
              AllOf(HasSubstr("int64"), HasSubstr("floats")));
  EXPECT_THAT(mismatch(data, network_with({image, image}, logits)), AllOf(HasSubstr("2 inputs"), HasSubstr("has 1")));
  EXPECT_THAT(mismatch(data, network_with({image}, {"y", DataType::kFloat32, {kDynamic, 2}})),
              AllOf(HasSubstr("[N, 2]"), HasSubstr("label 2")));
  EXPECT_THAT(mismatch(data, network_with({image}, {"y", DataType::kFloat32, {kDynamic, 3, 4}})),
              AllOf(HasSubstr("logits"), HasSubstr("[N, 3, 4]")));
}

// Real files, where they are there. Ten classes of 6,000 and 1,000 images; the first training image is an ankle boot (class 9), as the
// data set's authors show it (H. Xiao et al., 2017).
TEST(LoadDataset, ReadsFashionMnist) {
  const std::string path = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
  const Dataset data =
      load_dataset({.kind = "idx", .path = path, .mean = {0.2860F}, .stddev = {0.3530F}, .classes = 10, .load_train = true});
  EXPECT_EQ(data.train.size(), 60000);
  EXPECT_EQ(data.test.size(), 5000);
  EXPECT_EQ(data.train.labels[0].item().toLong(), 9);
  // Mean and standard deviation of all training pixels are the usual 0.2860 and 0.3530.
  const at::Tensor pixels = data.train.inputs[0].to(at::kFloat).mul(1.0 / 255);
  EXPECT_NEAR(pixels.mean().item().toDouble(), 0.2860, 1e-4);
  EXPECT_NEAR(pixels.std().item().toDouble(), 0.3530, 1e-4);
}

TEST(LoadDataset, ReadsTheImageNetSamples) {
  const std::string path = data_folder() + "/imagenet";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no imagenet in LATHE_DATA";
  const Dataset data =
      load_dataset({.kind = "image_folder", .path = path, .image_size = 224, .calibration_rows = 200, .search_rows = 300, .split = 4});
  EXPECT_EQ(data.test.size(), 500);
  EXPECT_EQ(data.classes, 1000);
  std::set<std::int64_t> labels;  // one image a class, so labels tell the rows apart
  for (const Rows* rows : {&data.calibration, &data.search, &data.test}) {
    for (std::int64_t i = 0; i < rows->size(); ++i) labels.insert(rows->labels[i].item().toLong());
  }
  EXPECT_EQ(labels.size(), 1000U);
}

}  // namespace
}  // namespace lathe::evaluators

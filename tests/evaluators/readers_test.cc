#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "evaluators/readers/cifar_reader.h"
#include "evaluators/readers/idx_reader.h"
#include "evaluators/readers/image_folder_reader.h"
#include "evaluators/readers/npy_reader.h"
#include "models/base/error.h"
#include "tests/evaluators/data_files.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

template <typename Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

at::Tensor longs(const std::vector<std::int64_t>& values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values), at::TensorOptions().dtype(at::kLong));
}

void write_gzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

TEST(IdxReader, ReadsImagesAndLabelsPlainAndGzipped) {
  TemporaryFolder folder;
  write_idx_pair(folder.path(), "train", 3, 2);
  const Rows plain = read_idx(find_idx(folder.path(), "train-images-idx3-ubyte"), find_idx(folder.path(), "train-labels-idx1-ubyte"));
  EXPECT_EQ(plain.inputs[0].sizes(), (std::vector<std::int64_t>{3, 1, 2, 2}));
  EXPECT_TRUE(at::equal(plain.labels, longs({0, 1, 0})));
  EXPECT_EQ(plain.inputs[0][2][0][1][1].item().toLong(), 2 + 3);

  write_gzip(folder.path("a.gz"), idx_bytes({1, 1, 2}, "\x01\x02"));
  write_gzip(folder.path("b.gz"), idx_bytes({1}, "\x07"));
  const Rows zipped = read_idx(folder.path("a.gz"), folder.path("b.gz"));
  EXPECT_EQ(zipped.inputs[0][0][0][0][1].item().toLong(), 2);
  EXPECT_EQ(zipped.labels[0].item().toLong(), 7);
}

TEST(IdxReader, NamesTheFileAndWhatIsWrong) {
  TemporaryFolder folder;
  const auto error = [&](const std::string& images) {
    write_bytes(folder.path("images"), images);
    write_bytes(folder.path("labels"), idx_bytes({2}, "\x01\x02"));
    return error_of([&] { read_idx(folder.path("images"), folder.path("labels")); });
  };
  EXPECT_THAT(error_of([&] { read_idx(folder.path("none"), folder.path("none")); }), AllOf(HasSubstr("none"), HasSubstr("no such file")));
  EXPECT_THAT(error(""), HasSubstr("empty file"));
  EXPECT_THAT(error("PNG....."), HasSubstr("not IDX"));
  EXPECT_THAT(error(idx_bytes({2, 1, 2}, "abc")), AllOf(HasSubstr("3 bytes of data"), HasSubstr("[2, 1, 2]"), HasSubstr("cut short")));
  EXPECT_THAT(error(idx_bytes({0xffffffff, 0xffffffff, 0xffffffff}, "abc")), HasSubstr("cut short"));
  EXPECT_THAT(error(idx_bytes({1, 1, 2}, "ab")), HasSubstr("one label for each of 1 images"));
  EXPECT_THAT(error(std::string("\0\0\x0d\x01", 4) + big_endian_32(0)), HasSubstr("element type 13"));
}

TEST(IdxReader, NoticesATruncatedGzipStream) {
  TemporaryFolder folder;
  std::string pixels;
  for (int i = 0; i < 4096; ++i) pixels += static_cast<char>((i * i) >> 3);
  write_gzip(folder.path("a.gz"), idx_bytes({1, 64, 64}, pixels));
  std::filesystem::resize_file(folder.path("a.gz"), std::filesystem::file_size(folder.path("a.gz")) / 2);
  EXPECT_THAT(error_of([&] { read_idx(folder.path("a.gz"), folder.path("a.gz")); }), HasSubstr("cut short"));
}

TEST(CifarReader, ReadsRecordsAndNamesABadOne) {
  TemporaryFolder folder;
  write_bytes(folder.path("test_batch.bin"), cifar_record(3, 17) + cifar_record(9, 255));
  const Rows rows = read_cifar10(folder.path("test_batch.bin"));
  EXPECT_TRUE(at::equal(rows.labels, longs({3, 9})));
  EXPECT_EQ(rows.inputs[0].sizes(), (std::vector<std::int64_t>{2, 3, 32, 32}));
  EXPECT_EQ(rows.inputs[0][1][2][31][31].item().toLong(), 255);

  write_bytes(folder.path("bad.bin"), cifar_record(3, 17) + cifar_record(10, 0));
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path("bad.bin")); }), AllOf(HasSubstr("record 1"), HasSubstr("'10'")));
  write_bytes(folder.path("short.bin"), cifar_record(3, 17).substr(1));
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path("short.bin")); }), HasSubstr("3072 bytes"));
  write_bytes(folder.path("empty.bin"), "");
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path("empty.bin")); }), HasSubstr("empty file"));
}

TEST(NpyReader, ReadsIntegersAndFloats) {
  TemporaryFolder folder;
  write_bytes(folder.path("a.npy"), npy_bytes("<i8", "2, 3", raw<std::int64_t>({1, 2, 3, 4, 5, 1LL << 40})));
  const at::Tensor a = read_npy(folder.path("a.npy"));
  EXPECT_TRUE(at::equal(a, longs({1, 2, 3, 4, 5, 1LL << 40}).view({2, 3})));

  write_bytes(folder.path("b.npy"), npy_bytes("<f4", "3,", raw<float>({0.5F, -1.0F, 2.25F})));
  const at::Tensor b = read_npy(folder.path("b.npy"));
  EXPECT_EQ(b.scalar_type(), at::kFloat);
  EXPECT_EQ(b[2].item().toFloat(), 2.25F);

  write_bytes(folder.path("c.npy"), npy_bytes("<i4", "2,", raw<std::int32_t>({7, -8})));
  EXPECT_TRUE(at::equal(read_npy(folder.path("c.npy")), longs({7, -8})));
}

TEST(NpyReader, ReadsVersionTwoHeaders) {
  TemporaryFolder folder;
  const std::string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }\n";
  const std::string length = {static_cast<char>(header.size()), 0, 0, 0};
  write_bytes(folder.path("v2.npy"), std::string("\x93NUMPY\x02\x00", 8) + length + header + raw<std::int64_t>({42}));
  EXPECT_TRUE(at::equal(read_npy(folder.path("v2.npy")), longs({42})));
}

TEST(NpyReader, NamesTheFileAndWhatIsWrong) {
  TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    write_bytes(folder.path("x.npy"), bytes);
    return error_of([&] { read_npy(folder.path("x.npy")); });
  };
  EXPECT_THAT(error("hello"), AllOf(HasSubstr("x.npy"), HasSubstr("header")));
  EXPECT_THAT(error(npy_bytes("<i8", "2,", raw<std::int64_t>({1}))), HasSubstr("cut short"));
  EXPECT_THAT(error(npy_bytes("<i8", "999999999999, 999999999999", "")), HasSubstr("cut short"));
  EXPECT_THAT(error(npy_bytes("<U5", "1,", "abcde")), HasSubstr("<U5"));
  EXPECT_THAT(error(npy_bytes("<i8", "1, 1", raw<std::int64_t>({1}), "True")), HasSubstr("Fortran"));
}

// The smallest PNGs: 2x1 and 1x1 RGB (written by Pillow 9.4).
const std::string kPng2x1 = [] {
  const unsigned char bytes[] = {
#include "tests/evaluators/png_2x1.inc"
  };
  return std::string(reinterpret_cast<const char*>(bytes), sizeof bytes);
}();
const std::string kPng1x1 = [] {
  const unsigned char bytes[] = {
#include "tests/evaluators/png_1x1.inc"
  };
  return std::string(reinterpret_cast<const char*>(bytes), sizeof bytes);
}();

TEST(ImageFolderReader, ReadsLabelsCsvInItsOrder) {
  TemporaryFolder folder;
  write_bytes(folder.path("images/a.png"), kPng2x1);
  write_bytes(folder.path("labels.csv"), "name,file,class\n\"x, y\",images/a.png,5\nz,images/a.png,0\n");
  const Rows rows = read_image_folder({.directory = folder.path()});
  EXPECT_TRUE(at::equal(rows.labels, longs({5, 0})));
  EXPECT_EQ(rows.inputs[0].sizes(), (std::vector<std::int64_t>{2, 3, 1, 2}));
  // Left pixel (10, 20, 30), right pixel (200, 100, 0).
  EXPECT_EQ(rows.inputs[0][0][1][0][0].item().toLong(), 20);
  EXPECT_EQ(rows.inputs[0][0][0][0][1].item().toLong(), 200);
}

TEST(ImageFolderReader, TakesSubFoldersAsClasses) {
  TemporaryFolder folder;
  write_bytes(folder.path("dogs/1.png"), kPng2x1);
  write_bytes(folder.path("cats/1.PNG"), kPng2x1);
  write_bytes(folder.path("cats/readme.txt"), "no image");
  const Rows rows = read_image_folder({.directory = folder.path()});
  EXPECT_TRUE(at::equal(rows.labels, longs({0, 1})));
  EXPECT_THAT(error_of([&] { read_image_folder({.directory = folder.path(), .classes = 1}); }), HasSubstr("at most 1 sub-folders"));
}

TEST(ImageFolderReader, NamesTheFileAndLineAtFault) {
  TemporaryFolder folder;
  const auto error = [&](const std::string& csv, ImageFolderOptions options = {}) {
    write_bytes(folder.path("labels.csv"), csv);
    options.directory = folder.path();
    return error_of([&] { read_image_folder(options); });
  };
  write_bytes(folder.path("a.png"), kPng2x1);
  write_bytes(folder.path("b.png"), kPng1x1);
  write_bytes(folder.path("c.png"), "not an image");
  EXPECT_THAT(error("path,label\na.png,1\n"), AllOf(HasSubstr("labels.csv:1"), HasSubstr("file and class")));
  EXPECT_THAT(error("file,class\na.png,ten\n"), AllOf(HasSubstr("labels.csv:2"), HasSubstr("'ten'")));
  EXPECT_THAT(error("file,class\na.png,10\n", {.classes = 10}), AllOf(HasSubstr("from 0 to 9"), HasSubstr("'10'")));
  EXPECT_THAT(error("file,class\na.png\n"), HasSubstr("labels.csv:2"));
  EXPECT_THAT(error("file,class\na.png,1\nb.png,1\n"), AllOf(HasSubstr("b.png"), HasSubstr("2x1"), HasSubstr("got 1x1")));
  EXPECT_THAT(error("file,class\na.png,1\n", {.image_size = 224}), AllOf(HasSubstr("a.png"), HasSubstr("224x224"), HasSubstr("got 2x1")));
  EXPECT_THAT(error("file,class\nc.png,1\n"), AllOf(HasSubstr("c.png"), HasSubstr("cannot be decoded")));
  EXPECT_THAT(error("file,class\nd.png,1\n"), AllOf(HasSubstr("d.png"), HasSubstr("no such file")));
  EXPECT_THAT(error("file,class\n"), HasSubstr("lists none"));
  TemporaryFolder empty;
  EXPECT_THAT(error_of([&] { read_image_folder({.directory = empty.path()}); }), HasSubstr("neither"));
  EXPECT_THAT(error_of([&] { read_image_folder({.directory = empty.path("none")}); }), HasSubstr("no such folder"));
}

}  // namespace
}  // namespace lathe::evaluators

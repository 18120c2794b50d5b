// Small data files for the tests, byte by byte as the formats say.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace lathe::evaluators {

// A folder that is removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lathe-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name = "") const { return name.empty() ? path_.string() : (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string big_endian_32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string idx_bytes(const std::vector<std::uint32_t>& shape, const std::string& elements) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const auto extent : shape) bytes += big_endian_32(extent);
  return bytes + elements;
}

// `count` images of 2x2, pixel p of image i being i + p (modulo 256); label i modulo `classes`.
inline void write_idx_pair(const std::string& folder, const std::string& stem, int count, int classes) {
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    for (int p = 0; p < 4; ++p) pixels += static_cast<char>(i + p);
    labels += static_cast<char>(i % classes);
  }
  const auto n = static_cast<std::uint32_t>(count);
  write_bytes(folder + "/" + stem + "-images-idx3-ubyte", idx_bytes({n, 2, 2}, pixels));
  write_bytes(folder + "/" + stem + "-labels-idx1-ubyte", idx_bytes({n}, labels));
}

inline std::string cifar_record(int label, int pixel) {
  return std::string(1, static_cast<char>(label)) + std::string(3072, static_cast<char>(pixel));
}

// Version 1.0 header, padded so that the data start at a multiple of 64 (numpy/lib/format.py).
inline std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& elements,
                             const std::string& order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': (" + shape + "), }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  return std::string("\x93NUMPY\x01", 7) + '\0' + static_cast<char>(header.size() & 0xff) + static_cast<char>(header.size() >> 8) + header +
         elements;
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// LATHE_DATA, or where a checkout keeps it beside the sources.
inline std::string data_folder() {
  const char* set = std::getenv("LATHE_DATA");
  return set ? set : std::string(LATHE_SOURCE_DIR) + "/../shared/data";
}

}  // namespace lathe::evaluators

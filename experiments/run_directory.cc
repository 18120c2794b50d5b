#include "experiments/run_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, int error) {
  throw UserError(Fault{.file = path, .expected = std::string("cannot be written: ") + std::strerror(error)});
}

std::string numbered(const char* format, int number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

}  // namespace

void make_writable_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) refuse(path, error.value());
  if (!fs::is_directory(path)) throw UserError(Fault{.file = path, .expected = "expected a folder"});
  if (access(path.c_str(), W_OK | X_OK) != 0) refuse(path, errno);
}

void write_atomically(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".tmp";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) refuse(path, errno);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      close(file);
      unlink(temporary.c_str());
      refuse(path, error);
    }
    written += static_cast<std::size_t>(count);
  }
  const bool is_flushed = fsync(file) == 0;
  const int error = errno;
  close(file);
  if (!is_flushed) refuse(path, error);
  if (rename(temporary.c_str(), path.c_str()) != 0) refuse(path, errno);
}

void check_writable_file(const std::string& path) {
  if (fs::is_directory(path)) refuse(path, EISDIR);
  // Permissions alone do not tell: root may write where the file system does not let it.
  const std::string temporary = path + ".tmp";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) refuse(path, errno);
  close(file);
  unlink(temporary.c_str());
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void RunDirectory::check(const std::string& path, bool is_resumed) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_directory(path, error))
    throw UserError(Fault{.file = path, .expected = "expected a folder to write the run to"});
  if (!is_resumed && fs::is_directory(path, error) && !fs::is_empty(path, error))
    throw UserError(
        Fault{.file = path, .expected = "the folder is not empty; use --resume to go on with its run, or --out for another place"});
  fs::path existing = fs::absolute(path);
  while (!fs::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  if (!fs::is_directory(existing, error)) refuse(path, ENOTDIR);
  if (access(existing.c_str(), W_OK | X_OK) != 0) refuse(path, errno);
}

RunDirectory::RunDirectory(std::string path, bool is_resumed) : path_(std::move(path)) {
  check(path_, is_resumed);
  make_writable_folder(path_);
  make_writable_folder(path_ + "/policies");
  make_writable_folder(path_ + "/models");
}

std::string RunDirectory::policy_name(int number) {
  return numbered("policies/%03d.json", number);
}
std::string RunDirectory::model_name(int number) {
  return numbered("models/%03d.onnx", number);
}

}  // namespace lathe::experiments

#include "evaluators/readers/file_bytes.h"

#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "models/base/error.h"

namespace lathe::evaluators {
namespace {

void require_file(const std::string& path, const std::string& what) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return;
  const bool exists = std::filesystem::exists(path, error);
  throw UserError(Fault{.file = path, .expected = "expected " + what + ", but there is " + (exists ? "no plain file" : "no such file")});
}

}  // namespace

std::vector<std::uint8_t> read_file(const std::string& path, const std::string& what) {
  require_file(path, what);
  std::ifstream in(path, std::ios::binary);
  std::vector<std::uint8_t> bytes(std::filesystem::file_size(path));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw UserError(Fault{.file = path, .expected = "expected " + what + ", but the file cannot be read"});
  return bytes;
}

std::vector<std::uint8_t> read_gzip(const std::string& path, const std::string& what) {
  require_file(path, what);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw UserError(Fault{.file = path, .expected = "expected " + what + ", but the file cannot be read"});
  gzbuffer(file.get(), 1 << 17);
  constexpr unsigned kChunk = 1 << 20;
  std::vector<std::uint8_t> bytes;
  for (;;) {
    const std::size_t filled = bytes.size();
    bytes.resize(filled + kChunk);
    const int count = gzread(file.get(), bytes.data() + filled, kChunk);
    // A gzip stream that stops in the middle reads as data first and as an error (Z_BUF_ERROR) at its end.
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      throw UserError(Fault{.file = path, .expected = "expected " + what + ", but the gzip stream is damaged or cut short"});
    }
    bytes.resize(filled + static_cast<std::size_t>(count));
    if (count == 0) return bytes;
  }
}

}  // namespace lathe::evaluators

#include "bench/measurements/csv.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "models/base/error.h"

namespace lathe::measurements {
namespace {

std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

std::string read_text(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return "";
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (int n = 0; (n = gzread(file, buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<std::size_t>(n));
  gzclose(file);
  return text;
}

}  // namespace

std::vector<CsvRow> read_csv(const std::string& path) {
  std::vector<CsvRow> rows;
  std::stringstream stream(read_text(path));
  std::string line;
  std::getline(stream, line);
  const std::vector<std::string> names = csv_fields(line);
  while (std::getline(stream, line)) {
    const std::vector<std::string> fields = csv_fields(line);
    CsvRow row;
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i) row[names[i]] = fields[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

double number(const CsvRow& row, const std::string& name, double otherwise) {
  const auto found = row.find(name);
  if (found == row.end() || found->second.empty()) return otherwise;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw UserError(Fault{.key = name, .expected = "expected a number", .got = text});
  return value;
}

std::string measurement_folder() {
  const char* variable = std::getenv("LATHE_DATA");
  const std::string folder = (variable != nullptr ? std::string(variable) : std::string(LATHE_SOURCE_DIR) + "/../shared/data") + "/hw";
  return std::filesystem::is_directory(folder) ? folder : "";
}

}  // namespace lathe::measurements

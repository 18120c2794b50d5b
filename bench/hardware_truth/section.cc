#include "bench/hardware_truth/section.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "models/base/error.h"

namespace lathe::bench {

namespace fs = std::filesystem;

namespace {

bool is_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

fs::path DataFolder::find(const std::string& file) const {
  const fs::path exact = folder_ / file;
  if (fs::is_regular_file(exact)) return exact;
  const std::string name = exact.filename().string();
  const std::string beginning = name.substr(0, name.rfind('_') + 1), ending = name.substr(name.find('.'));
  std::set<fs::path> matches;  // sorted: the choice does not depend on the file system
  if (fs::is_directory(exact.parent_path())) {
    for (const fs::directory_entry& entry : fs::directory_iterator(exact.parent_path())) {
      const std::string other = entry.path().filename().string();
      if (!beginning.empty() && other.starts_with(beginning) && other.ends_with(ending)) matches.insert(entry.path());
    }
  }
  if (matches.empty()) throw MissingData("no file " + exact.string());
  return *matches.begin();
}

std::vector<measurements::CsvRow> DataFolder::rows(const std::string& file, const std::vector<std::string>& columns) const {
  const fs::path path = find(file);
  std::vector<measurements::CsvRow> rows = measurements::read_csv(path.string());
  if (rows.empty()) throw MissingData("no rows in " + path.string());
  for (std::size_t line = 2; const measurements::CsvRow& row : rows) {
    for (const std::string& column : columns) {
      if (row.contains(column)) continue;
      throw UserError(Fault{.file = path.string(), .line = static_cast<int>(line), .key = column, .expected = "this column is missing"});
    }
    ++line;
  }
  return rows;
}

std::vector<std::string> device_columns(const std::vector<measurements::CsvRow>& rows, const std::vector<std::string>& known) {
  std::vector<std::string> devices;
  for (const auto& [name, field] : rows.front()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    int measured = 0, other = 0;
    for (const measurements::CsvRow& row : rows) {
      const auto entry = row.find(name);
      if (entry != row.end() && !entry->second.empty()) ++(is_number(entry->second) ? measured : other);
    }
    if (measured > 0 && other == 0) devices.push_back(name);
  }
  return devices;
}

}  // namespace lathe::bench

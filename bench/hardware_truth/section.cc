#include "bench/hardware_truth/section.h"

#include <algorithm>
#include <set>

namespace lathe::bench {

namespace fs = std::filesystem;

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

std::vector<measurements::CsvRow> DataFolder::rows(const std::string& file) const {
  const fs::path path = find(file);
  std::vector<measurements::CsvRow> rows = measurements::read_csv(path.string());
  if (rows.empty()) throw MissingData("no rows in " + path.string());
  return rows;
}

std::vector<std::string> device_columns(const std::vector<measurements::CsvRow>& rows, const std::vector<std::string>& known) {
  std::vector<std::string> devices;
  for (const auto& [name, field] : rows.front()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const bool is_measured =
        std::any_of(rows.begin(), rows.end(), [&](const measurements::CsvRow& row) { return !row.at(name).empty(); });
    if (is_measured) devices.push_back(name);
  }
  return devices;
}

}  // namespace lathe::bench

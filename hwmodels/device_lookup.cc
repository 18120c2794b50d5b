// Finds device files by name.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include "hwmodels/device_spec.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

namespace fs = std::filesystem;

bool is_device_file(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

bool looks_like_path(const std::string& text) {
  return text.find('/') != std::string::npos || is_device_file(text);
}

DeviceSpec read_device(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw UserError(Fault{.file = path, .expected = "expected a device file, this is a directory"});
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) throw UserError(Fault{.file = path, .expected = "cannot read this device file"});
  return parse_device(text.str(), path);
}

}  // namespace

std::vector<std::string> device_directories() {
  std::vector<std::string> candidates;
  if (const char* variable = std::getenv("LATHE_DEVICES"); variable != nullptr && *variable != '\0') candidates.emplace_back(variable);
  candidates.insert(candidates.end(), {"configs/devices", LATHE_SOURCE_DEVICES, LATHE_INSTALLED_DEVICES});
  std::vector<std::string> directories;
  std::set<fs::path> seen;
  for (const std::string& candidate : candidates) {
    std::error_code error;
    const fs::path real = fs::canonical(candidate, error);
    if (!error && fs::is_directory(real, error) && seen.insert(real).second) directories.push_back(candidate);
  }
  return directories;
}

std::vector<std::string> device_names() {
  std::set<std::string> names;
  for (const std::string& directory : device_directories()) {
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      if (is_device_file(entry.path())) names.insert(entry.path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

DeviceSpec load_device(const std::string& name_or_path) {
  if (looks_like_path(name_or_path)) return read_device(name_or_path);
  for (const std::string& directory : device_directories()) {
    for (const char* extension : {".yaml", ".yml"}) {
      const fs::path path = fs::path(directory) / (name_or_path + extension);
      std::error_code error;
      if (fs::is_regular_file(path, error)) return read_device(path.string());
    }
  }
  const std::vector<std::string> names = device_names();
  const std::string near = nearest_spelling(name_or_path, names);
  std::string expected = near.empty() ? "expected a device file or one of" : "did you mean '" + near + "'? Known devices:";
  for (const std::string& name : names) expected += (name == names.front() ? " " : ", ") + name;
  throw UserError(Fault{.key = "device", .expected = "unknown device; " + expected, .got = name_or_path});
}

}  // namespace lathe::hwmodels

#include "experiments/config/paths.h"

#include <cstdlib>

namespace lathe::experiments {
namespace fs = std::filesystem;

Expansion expand_environment(const std::string& text) {
  Expansion expansion;
  std::size_t at = 0;
  if (text.starts_with("~/") && std::getenv("HOME") != nullptr) {
    expansion.text = std::getenv("HOME");
    at = 1;
  }
  while (at < text.size()) {
    const std::size_t open = text.find("${", at);
    const std::size_t close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) break;
    expansion.text += text.substr(at, open - at);
    const std::string inside = text.substr(open + 2, close - open - 2);
    const std::size_t fallback = inside.find(":-");
    const std::string name = inside.substr(0, fallback);
    if (const char* value = std::getenv(name.c_str()); value != nullptr && *value != '\0')
      expansion.text += value;
    else if (fallback != std::string::npos)
      expansion.text += inside.substr(fallback + 2);
    else if (expansion.missing.empty())
      expansion.missing = name;
    at = close + 1;
  }
  expansion.text += text.substr(at);
  return expansion;
}

fs::path find_from(const std::string& path, const fs::path& folder) {
  if (path.empty()) return {};
  std::error_code error;
  for (const fs::path& candidate : {fs::path(path), folder / path})
    if (fs::exists(candidate, error)) return fs::canonical(candidate, error);
  return {};
}

}  // namespace lathe::experiments

// Paths as users write them in a config.
#pragma once

#include <filesystem>
#include <string>

namespace lathe::experiments {

struct Expansion {
  std::string text;
  std::string missing;  // the first variable that is not set and has no fallback; "" if all are there
};
// Replaces ${NAME} and ${NAME:-fallback} by the environment's values; a leading ~/ by the home directory.
Expansion expand_environment(const std::string& text);

// An absolute, normal path to what exists at `path` from the current directory, or else from `folder`; empty if neither does.
std::filesystem::path find_from(const std::string& path, const std::filesystem::path& folder);

}  // namespace lathe::experiments

// Whole files in memory, with errors in the user's words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::evaluators {

// Throws UserError where the file is missing or unreadable. `what` completes "expected ...": "CIFAR-10's test_batch.bin".
std::vector<std::uint8_t> read_file(const std::string& path, const std::string& what);
// The same for gzip files; a file that is not compressed is returned as it is. Throws UserError where the stream is damaged.
std::vector<std::uint8_t> read_gzip(const std::string& path, const std::string& what);

}  // namespace lathe::evaluators

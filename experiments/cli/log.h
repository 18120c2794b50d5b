// Log lines on standard error. The only door to spdlog, whose header is slow and clashes with those of LibTorch wheels.
#pragma once

#include <string>

namespace lathe::cli {

void start_log();
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

}  // namespace lathe::cli

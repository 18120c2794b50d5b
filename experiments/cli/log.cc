#include "experiments/cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace lathe::cli {

void start_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("lathe"));
  spdlog::set_pattern("%^%v%$");  // messages are for people: no time, no level
}

void log_info(const std::string& text) {
  spdlog::info("{}", text);
}
void log_warning(const std::string& text) {
  spdlog::warn("{}", text);
}
void log_error(const std::string& text) {
  spdlog::error("{}", text);
}

}  // namespace lathe::cli

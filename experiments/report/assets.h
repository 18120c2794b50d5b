// The files that make the report, embedded at build time.
#pragma once

#include <string_view>

namespace lathe::experiments {

// "report.html", "report.css", "report.js", "chart.js"
std::string_view report_asset(std::string_view name);

}  // namespace lathe::experiments

// `lathe report SWEEP_DIR`: what a sweep says, as tables (CSV, Markdown, LaTeX), pictures (SVG) and one HTML page, in report/ of the
// folder.
#pragma once

#include <string>

namespace lathe::experiments {

// Whether `directory` is a sweep or a merge, which this reports on.
bool is_many_runs(const std::string& directory);

// Returns the folder that was written to. compared: see ResultCollector; "" = what the sweep's file says. Throws UserError where no run has
// come to its end.
std::string write_sweep_report(const std::string& directory, const std::string& output, const std::string& compared);

}  // namespace lathe::experiments

#include "experiments/report.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "experiments/report/assets.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw UserError(
        Fault{.file = path, .expected = "cannot be read; the run has not come to its end, go on with `lathe search ... --resume`"});
  return {std::istreambuf_iterator<char>(file), {}};
}

// Puts `text` for the mark, which stands once in the page.
void fill(std::string& page, const std::string& mark, std::string_view text) {
  const std::size_t at = page.find(mark);
  if (at != std::string::npos) page.replace(at, mark.size(), text);
}

// JSON inside a <script> element: "</script>" and "<!--" must not appear in it.
std::string script_safe(std::string text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

}  // namespace

std::string report_html(const json& results, const std::string& config) {
  std::string page(report_asset("report.html"));
  const json data{{"results", results}, {"config_text", config}};
  fill(page, "/*STYLE*/", report_asset("report.css"));
  fill(page, "/*CHART*/", report_asset("chart.js"));
  fill(page, "/*SCRIPT*/", report_asset("report.js"));
  // Last: nothing is looked for in the data.
  fill(page, "/*DATA*/", script_safe(data.dump()));
  return page;
}

std::string report_of_run(const std::string& run_directory) {
  if (!std::filesystem::is_directory(run_directory))
    throw UserError(Fault{.file = run_directory, .expected = "expected the directory of a run"});
  const std::string path = run_directory + "/pareto.json";
  const json results = json::parse(read_text(path), nullptr, /*allow_exceptions=*/false);
  if (!results.is_object() || !results.contains("format") || results["format"] != "lathe.pareto")
    throw UserError(Fault{.file = path, .expected = "expected the results of a run"});
  return report_html(results, read_text(run_directory + "/config.yaml"));
}

}  // namespace lathe::experiments

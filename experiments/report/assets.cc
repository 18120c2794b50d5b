#include "experiments/report/assets.h"

#include "models/base/check.h"

// The assembler takes the bytes in: no code generator, no size limit of string literals. Each asset: NAME_begin, NAME_end.
#define LATHE_EMBED(name, path)    \
  __asm__(                         \
      ".section .rodata\n"         \
      ".global lathe_asset_" #name \
      "_begin\n"                   \
      "lathe_asset_" #name         \
      "_begin:\n"                  \
      ".incbin \"" path            \
      "\"\n"                       \
      ".global lathe_asset_" #name \
      "_end\n"                     \
      "lathe_asset_" #name         \
      "_end:\n"                    \
      ".byte 0\n"                  \
      ".previous\n");              \
  extern "C" const char lathe_asset_##name##_begin[], lathe_asset_##name##_end[];

LATHE_EMBED(html, LATHE_REPORT_DIR "/report.html")
LATHE_EMBED(css, LATHE_REPORT_DIR "/report.css")
LATHE_EMBED(js, LATHE_REPORT_DIR "/report.js")
LATHE_EMBED(chart, LATHE_CHART_JS)

namespace lathe::experiments {

std::string_view report_asset(std::string_view name) {
  const auto between = [](const char* begin, const char* end) { return std::string_view(begin, static_cast<std::size_t>(end - begin)); };
  if (name == "report.html") return between(lathe_asset_html_begin, lathe_asset_html_end);
  if (name == "report.css") return between(lathe_asset_css_begin, lathe_asset_css_end);
  if (name == "report.js") return between(lathe_asset_js_begin, lathe_asset_js_end);
  LATHE_CHECK(name == "chart.js") << name;
  return between(lathe_asset_chart_begin, lathe_asset_chart_end);
}

}  // namespace lathe::experiments

// The report as Markdown: a table a section, a table of all claims, and the means as the last line.
#pragma once

#include <string>
#include <vector>

#include "bench/hardware_truth/section.h"

namespace lathe::bench {

// "## Title", the table, the notes.
std::string section_text(const Section& section, const SectionResult& result);

struct NamedResult {
  std::string section;
  SectionResult result;
};
std::string claims_text(const std::vector<NamedResult>& results);
// One line: "means: nasbench201 Spearman 0.962, error 6.10 %; ncnn ...".
std::string means_line(const std::vector<NamedResult>& results);

}  // namespace lathe::bench

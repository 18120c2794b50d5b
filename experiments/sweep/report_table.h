// One table in the forms that people take away: CSV, Markdown, LaTeX (booktabs) and HTML.
#pragma once

#include <string>
#include <vector>

namespace lathe::experiments {

struct ReportTable {
  std::string name;     // of its files
  std::string caption;  // a sentence
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // the first columns are texts, numbers look like numbers
};

std::string csv_cell(const std::string& text);
std::string to_csv(const ReportTable& table);
std::string to_markdown(const ReportTable& table);
std::string to_latex(const ReportTable& table);
std::string to_html(const ReportTable& table);
std::string html_escaped(const std::string& text);

}  // namespace lathe::experiments

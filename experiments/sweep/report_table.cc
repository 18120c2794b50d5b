#include "experiments/sweep/report_table.h"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace lathe::experiments {
namespace {

std::string replaced(const std::string& text, const std::map<char, std::string>& replacements) {
  std::string result;
  for (const char c : text) {
    const auto found = replacements.find(c);
    result += found == replacements.end() ? std::string(1, c) : found->second;
  }
  return result;
}

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && end == text.c_str() + text.size();
}

// Whether a column holds numbers, and is set to the right.
std::vector<bool> numeric_columns(const ReportTable& table) {
  std::vector<bool> numeric(table.columns.size(), !table.rows.empty());
  for (const auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      if (!is_number(row[c]) && row[c] != "-") numeric[c] = false;
  return numeric;
}

}  // namespace

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  return "\"" + replaced(text, {{'"', "\"\""}}) + "\"";
}

std::string html_escaped(const std::string& text) {
  return replaced(text, {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}});
}

std::string to_csv(const ReportTable& table) {
  std::string text;
  const auto add = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) text += (c > 0 ? "," : "") + csv_cell(cells[c]);
    text += "\n";
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  return text;
}

std::string to_markdown(const ReportTable& table) {
  std::string text = "**" + table.caption + "**\n\n";
  const auto add = [&](const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) text += "| " + replaced(cell, {{'|', "\\|"}}) + " ";
    text += "|\n";
  };
  add(table.columns);
  for (const bool is_numeric : numeric_columns(table)) text += is_numeric ? "| ---: " : "| --- ";
  text += "|\n";
  for (const auto& row : table.rows) add(row);
  return text;
}

std::string to_latex(const ReportTable& table) {
  static const std::map<char, std::string> special{{'&', "\\&"},
                                                   {'%', "\\%"},
                                                   {'$', "\\$"},
                                                   {'#', "\\#"},
                                                   {'_', "\\_"},
                                                   {'{', "\\{"},
                                                   {'}', "\\}"},
                                                   {'~', "\\textasciitilde{}"},
                                                   {'^', "\\textasciicircum{}"},
                                                   {'\\', "\\textbackslash{}"}};
  std::string columns;
  for (const bool is_numeric : numeric_columns(table)) columns += is_numeric ? 'r' : 'l';
  std::string text = "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{" + replaced(table.caption, special) +
                     "}\n\\begin{tabular}{" + columns + "}\n\\toprule\n";
  const auto add = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) text += (c > 0 ? " & " : "") + replaced(cells[c], special);
    text += " \\\\\n";
  };
  add(table.columns);
  text += "\\midrule\n";
  for (const auto& row : table.rows) add(row);
  return text + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

std::string to_html(const ReportTable& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  std::string text = "<table><caption>" + html_escaped(table.caption) + "</caption>\n<tr>";
  for (const std::string& column : table.columns) text += "<th>" + html_escaped(column) + "</th>";
  text += "</tr>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c)
      text += std::string(numeric[c] ? "<td class=\"number\">" : "<td>") + html_escaped(row[c]) + "</td>";
    text += "</tr>\n";
  }
  return text + "</table>\n";
}

}  // namespace lathe::experiments

// Plain tables for the terminal: columns as wide as their widest cell, numbers to the right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::experiments {

class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add_row(std::vector<std::string> cells);  // as many as there are columns
  void add_rule();                               // a line across
  std::string to_string() const;                 // ends with a newline

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

// Characters of UTF-8 text that take a column of the terminal (every code point counts as one).
std::size_t display_width(const std::string& text);

std::string format_fixed(double value, int digits);        // "3.14"
std::string format_significant(double value, int digits);  // 3 digits: "0.00123", "12.3", "4567"
std::string format_bytes(double bytes);                    // "1.21 MB", "512 B"; powers of 1000
std::string format_count(double count);                    // "41.0 M", "272 k", "512"
std::string format_points(double share);                   // a share of 1 in per cent: "91.73 %"
std::string format_duration(double seconds);               // "2 m 05 s"

}  // namespace lathe::experiments

#include "experiments/text_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "models/base/check.h"

namespace lathe::experiments {
namespace {

std::string print(const char* format, int digits, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, digits, value);
  return text.data();
}

// `value` with the unit that keeps it below 1000.
std::string with_unit(double value, const std::vector<std::string>& units) {
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const std::string number = unit == 0 ? print("%.*f", 0, value) : format_significant(value, 3);
  return number + (units[unit].empty() ? "" : " " + units[unit]);
}

}  // namespace

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string format_fixed(double value, int digits) {
  return print("%.*f", digits, value);
}

std::string format_significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return print("%.*f", 0, value);
  const auto digits_after = [&](double x) { return std::max(0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(x))))); };
  // 0.9997 with three digits is 1.00, not 1.000.
  const double rounded = std::stod(print("%.*f", digits_after(value), value));
  return print("%.*f", digits_after(rounded != 0 ? rounded : value), value);
}

std::string format_bytes(double bytes) {
  return with_unit(bytes, {"B", "kB", "MB", "GB", "TB"});
}
std::string format_count(double count) {
  return with_unit(count, {"", "k", "M", "G", "T"});
}
std::string format_points(double share) {
  return print("%.*f", 2, 100 * share) + " %";
}

std::string format_duration(double seconds) {
  const long whole = std::lround(std::max(0.0, seconds));
  std::array<char, 64> text{};
  if (whole >= 3600)
    std::snprintf(text.data(), text.size(), "%ld h %02ld m", whole / 3600, whole % 3600 / 60);
  else if (whole >= 60)
    std::snprintf(text.data(), text.size(), "%ld m %02ld s", whole / 60, whole % 60);
  else
    std::snprintf(text.data(), text.size(), "%ld s", whole);
  return text.data();
}

void TextTable::add_row(std::vector<std::string> cells) {
  LATHE_CHECK_EQ(cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::add_rule() {
  rows_.emplace_back();
}

std::string TextTable::to_string() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(display_width(columns_[i].title));
    for (const auto& row : rows_)
      if (!row.empty()) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = cell_of(i);
      const std::string padding(widths[i] - display_width(cell), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].align == Align::kRight ? padding + cell : cell + padding);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  const auto add_rule = [&] {
    std::size_t total = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) total += widths[i] + (i == 0 ? 0 : 2);
    text += std::string(total, '-') + '\n';
  };
  add_line([&](std::size_t i) { return columns_[i].title; });
  add_rule();
  for (const auto& row : rows_) {
    if (row.empty())
      add_rule();
    else
      add_line([&](std::size_t i) { return row[i]; });
  }
  return text;
}

}  // namespace lathe::experiments

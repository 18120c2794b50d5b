#include "hwmodels/latency_term.h"

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

namespace lathe::hwmodels {
namespace {

using Axis = ChoiceTable::Axis;

std::vector<int> decisions_of(const std::vector<Axis>& axes, const CandidateDigits& digits) {
  std::set<int> decisions;
  for (const Axis& axis : axes) {
    const std::vector<int> of_axis = digits.decisions_of(static_cast<int>(axis.slot));
    decisions.insert(of_axis.begin(), of_axis.end());
  }
  return {decisions.begin(), decisions.end()};
}

// At most `most` + 1.
std::size_t combinations(const std::vector<int>& decisions, const CandidateDigits& digits, std::size_t most) {
  std::size_t count = 1;
  for (const int decision : decisions) count = std::min(most + 1, count * static_cast<std::size_t>(digits.extent(decision)));
  return count;
}

// Moves axes from `axes` to the result until few enough combinations are left.
std::vector<Axis> leave_out(std::vector<Axis>& axes, const CandidateDigits& digits, std::size_t most_values) {
  std::vector<Axis> left_out;
  const auto width = [&](const Axis& axis) { return digits.decisions_of(static_cast<int>(axis.slot)).size(); };
  while (combinations(decisions_of(axes, digits), digits, most_values) > most_values) {
    const auto widest = std::max_element(axes.begin(), axes.end(), [&](const Axis& a, const Axis& b) { return width(a) < width(b); });
    left_out.push_back(*widest);
    axes.erase(widest);
  }
  return left_out;
}

// Of all combinations of the axes' digits.
std::vector<std::size_t> entries_of(const std::vector<Axis>& axes, const CandidateDigits& digits) {
  std::vector<std::size_t> entries{0};
  for (const Axis& axis : axes) {
    const std::size_t known = entries.size();
    for (int digit = 1; digit < digits.extent(static_cast<int>(axis.slot)); ++digit) {
      for (std::size_t i = 0; i < known; ++i) entries.push_back(entries[i] + axis.stride * static_cast<std::size_t>(digit));
    }
  }
  return entries;
}

}  // namespace

policies::CostTerm latency_term(const ChoiceTable& table, std::span<const OpSum> costs, const CandidateDigits& digits,
                                std::size_t most_values, bool& is_exact) {
  std::vector<Axis> axes = table.axes;
  const std::vector<Axis> left_out = leave_out(axes, digits, most_values);
  is_exact &= left_out.empty();
  const std::vector<std::size_t> offsets = entries_of(left_out, digits);
  policies::CostTerm term{.decisions = decisions_of(axes, digits), .values = {}};
  std::vector<std::uint32_t> choices(digits.choice_count(), 0);
  const std::size_t values = combinations(term.decisions, digits, most_values);
  for (std::size_t value = 0; value < values; ++value) {
    std::size_t rest = value, entry = 0;
    for (const int decision : term.decisions) {
      const auto extent = static_cast<std::size_t>(digits.extent(decision));
      choices[static_cast<std::size_t>(decision)] = static_cast<std::uint32_t>(rest % extent);
      rest /= extent;
    }
    for (const Axis& axis : axes) entry += axis.stride * digits.value_at(static_cast<int>(axis.slot), choices);
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t offset : offsets) least = std::min(least, costs[entry + offset].latency_ms);
    term.values.push_back(least);
  }
  return term;
}

}  // namespace lathe::hwmodels

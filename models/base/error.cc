#include "models/base/error.h"

#include <algorithm>
#include <numeric>

namespace lathe {
namespace {

std::string join_lines(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) {
    if (!text.empty()) text += '\n';
    text += to_string(fault);
  }
  return text;
}

// Levenshtein distance by the usual two-row dynamic program.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string to_string(const Fault& fault) {
  std::string text;
  if (!fault.file.empty()) {
    text += fault.file;
    if (fault.line > 0) text += ':' + std::to_string(fault.line);
    text += ": ";
  }
  if (!fault.key.empty()) text += fault.key + ": ";
  text += fault.expected;
  if (!fault.got.empty()) text += ", got '" + fault.got + "'";
  return text;
}

UserError::UserError(Fault fault) : UserError(std::vector<Fault>{std::move(fault)}) {}

UserError::UserError(std::vector<Fault> faults) : std::runtime_error(join_lines(faults)), faults_(std::move(faults)) {}

UserError::UserError(const std::string& message) : UserError(Fault{.expected = message}) {}

std::string nearest_spelling(const std::string& word, const std::vector<std::string>& legal) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : legal) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace lathe

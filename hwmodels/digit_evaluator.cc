#include "hwmodels/digit_evaluator.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "models/base/vector_versions.h"

namespace lathe::hwmodels {
namespace {

// Adds `slot` and what it needs; gives its level: 0 for a choice.
std::size_t add_slot(const CandidateDigits& digits, int slot, std::map<int, std::size_t>& level_of) {
  if (digits.is_choice(slot)) return 0;
  if (const auto known = level_of.find(slot); known != level_of.end()) return known->second;
  std::size_t level = 0;
  for (const ChoiceTable::Axis& axis : digits.derivation(slot).combination.axes)
    level = std::max(level, add_slot(digits, static_cast<int>(axis.slot), level_of));
  return level_of[slot] = level + 1;
}

}  // namespace

DigitEvaluator::DigitEvaluator(const CandidateDigits& digits, const std::vector<int>& slots)
    : choices_(digits.choice_count()), size_(digits.size()) {
  std::map<int, std::size_t> level_of;
  for (const int slot : slots) add_slot(digits, slot, level_of);
  for (const auto& [slot, level] : level_of) {
    levels_.resize(std::max(levels_.size(), level));
    const CandidateDigits::Derivation& derivation = digits.derivation(slot);
    levels_[level - 1].add(derivation.combination, static_cast<std::uint32_t>(slot), classes_.size());
    classes_.insert(classes_.end(), derivation.classes.begin(), derivation.classes.end());
  }
}

void DigitEvaluator::evaluate(const int* choices, std::uint32_t* digits) const {
  static_assert(sizeof(*choices) == sizeof(*digits));
  std::memcpy(digits, choices, choices_ * sizeof(*digits));  // not a loop that converts one by one
  for (const TableIndex& level : levels_) {
    level.for_each(digits, [digits, classes = classes_.data()](std::uint32_t slot, std::uint32_t entry) { digits[slot] = classes[entry]; });
  }
}

LATHE_VECTOR_VERSIONS
void DigitEvaluator::evaluate_lanes(const std::array<const int*, kLanes>& choices, float* digits) const {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const int* choice = choices[lane];
    for (std::size_t slot = 0; slot < choices_; ++slot) digits[slot * kLanes + lane] = static_cast<float>(choice[slot]);
  }
  for (const TableIndex& level : levels_) {
    level.for_each_in_lanes(digits, [digits, all = classes_.data()](std::uint32_t slot, std::uint32_t first, const auto& entries) {
      const std::uint32_t* classes = all + first;
      for (std::size_t lane = 0; lane < kLanes; ++lane) digits[slot * kLanes + lane] = static_cast<float>(classes[entries[lane]]);
    });
  }
}

}  // namespace lathe::hwmodels

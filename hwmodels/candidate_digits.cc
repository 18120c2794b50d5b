#include "hwmodels/candidate_digits.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>

#include "models/base/check.h"

namespace lathe::hwmodels {

using policies::Decision;
using policies::WorkloadSetting;

CandidateDigits::CandidateDigits(const policies::SearchSpace& space) : space_(space) {
  for (const Decision& decision : space.decisions) extents_.push_back(static_cast<int>(decision.values.size()));
}

int CandidateDigits::derive(const std::vector<int>& slots, const std::vector<std::uint32_t>& class_of) {
  std::vector<std::uint32_t> representatives;
  for (std::uint32_t combination = 0; combination < class_of.size(); ++combination) {
    LATHE_CHECK_LE(class_of[combination], representatives.size()) << "classes are numbered as they appear";
    if (class_of[combination] == representatives.size()) representatives.push_back(combination);
  }
  if (slots.size() == 1 && representatives.size() == class_of.size()) return slots.front();
  const auto [known, is_new] = known_.try_emplace({slots, class_of}, static_cast<int>(extents_.size()));
  if (!is_new) return known->second;

  Derivation& digit = derivations_.emplace_back();
  for (const int slot : slots) {
    digit.combination.axes.push_back({static_cast<std::uint32_t>(slot), static_cast<std::uint32_t>(digit.combination.entries)});
    digit.combination.entries *= static_cast<std::size_t>(extent(slot));
  }
  LATHE_CHECK_EQ(class_of.size(), digit.combination.entries) << "one class a combination";
  digit.classes = class_of;
  extents_.push_back(static_cast<int>(representatives.size()));
  representatives_.push_back(std::move(representatives));
  return known->second;
}

void CandidateDigits::apply(int slot, int value, WorkloadSetting& setting) const {
  if (is_choice(slot)) {
    policies::apply_choice(space_, slot, value, setting);
    return;
  }
  const std::uint32_t combination =
      representatives_[static_cast<std::size_t>(slot) - space_.decisions.size()][static_cast<std::size_t>(value)];
  for (const ChoiceTable::Axis& axis : derivation(slot).combination.axes) {
    const int of = static_cast<int>(axis.slot);
    apply(of, static_cast<int>(combination / axis.stride) % extent(of), setting);
  }
}

std::vector<int> CandidateDigits::decisions_of(int slot) const {
  if (is_choice(slot)) return {slot};
  std::set<int> all;
  for (const ChoiceTable::Axis& axis : derivation(slot).combination.axes) {
    const std::vector<int> of_axis = decisions_of(static_cast<int>(axis.slot));
    all.insert(of_axis.begin(), of_axis.end());
  }
  return {all.begin(), all.end()};
}

std::uint32_t CandidateDigits::value_at(int slot, const std::vector<std::uint32_t>& choices) const {
  if (is_choice(slot)) return choices[static_cast<std::size_t>(slot)];
  std::uint32_t combination = 0;
  for (const ChoiceTable::Axis& axis : derivation(slot).combination.axes)
    combination += axis.stride * value_at(static_cast<int>(axis.slot), choices);
  return derivation(slot).classes[combination];
}

template <typename Visit>
bool CandidateDigits::for_each_combination(const std::vector<int>& decisions, const Visit& visit) const {
  std::size_t combinations = 1;
  for (const int decision : decisions) combinations *= static_cast<std::size_t>(extent(decision));
  if (combinations > kMostCombinations) return false;
  std::vector<std::uint32_t> choices(space_.decisions.size(), 0);
  for (std::size_t combination = 0; combination < combinations; ++combination) {
    std::size_t rest = combination;
    for (const int decision : decisions) {
      const auto count = static_cast<std::size_t>(extent(decision));
      choices[static_cast<std::size_t>(decision)] = static_cast<std::uint32_t>(rest % count);
      rest /= count;
    }
    visit(choices);
  }
  return true;
}

std::optional<std::vector<std::uint32_t>> CandidateDigits::values_given(int slot, int given) const {
  constexpr std::uint32_t kUnknown = ~0U;
  if (slot == given) {
    std::vector<std::uint32_t> same(static_cast<std::size_t>(extent(slot)));
    std::iota(same.begin(), same.end(), 0);
    return same;
  }
  const std::vector<int> decisions = decisions_of(given), needed = decisions_of(slot);
  if (!std::includes(decisions.begin(), decisions.end(), needed.begin(), needed.end())) return std::nullopt;
  std::vector<std::uint32_t> values(static_cast<std::size_t>(extent(given)), kUnknown);
  bool is_known = true;
  const auto note = [&](const std::vector<std::uint32_t>& choices) {
    std::uint32_t& value = values[value_at(given, choices)];
    const std::uint32_t now = value_at(slot, choices);
    is_known = is_known && (value == kUnknown || value == now);
    value = now;
  };
  if (!for_each_combination(decisions, note) || !is_known) return std::nullopt;
  return values;
}

std::optional<int> CandidateDigits::join(int slot, int other) {
  std::vector<int> decisions = decisions_of(slot);
  const std::vector<int> of_other = decisions_of(other);
  std::vector<int> both;
  std::set_intersection(decisions.begin(), decisions.end(), of_other.begin(), of_other.end(), std::back_inserter(both));
  if (both.empty()) return std::nullopt;
  both.clear();
  std::set_union(decisions.begin(), decisions.end(), of_other.begin(), of_other.end(), std::back_inserter(both));
  std::map<std::uint32_t, std::uint32_t> classes;
  std::vector<std::uint32_t> class_of;
  const auto note = [&](const std::vector<std::uint32_t>& choices) {
    const std::uint32_t pair = value_at(slot, choices) + static_cast<std::uint32_t>(extent(slot)) * value_at(other, choices);
    class_of.push_back(classes.try_emplace(pair, static_cast<std::uint32_t>(classes.size())).first->second);
  };
  if (!for_each_combination(both, note)) return std::nullopt;
  if (static_cast<int>(classes.size()) >= extent(slot) * extent(other)) return std::nullopt;
  return derive(both, class_of);
}

}  // namespace lathe::hwmodels

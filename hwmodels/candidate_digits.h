// A candidate as the digits that tables are indexed by.
//
// The first digits are the candidate's choices. The others are derived: the class of a combination of earlier digits. Choices that a device
// stores alike (4 bits on a device of bytes) are one class, and so are all widths of a value's readers that lead to the same width in
// memory. What several tables ask is worked out once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "hwmodels/table_index.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

class CandidateDigits {
 public:
  // `space` must outlive the digits.
  explicit CandidateDigits(const policies::SearchSpace& space);

  // The slot of the digit that has class_of[i] at combination i of the digits in `slots`, of which the first moves fastest. Classes are
  // numbered from 0 in order of first appearance. Equal digits share a slot; one that tells all its choices apart is the choice itself.
  int derive(const std::vector<int>& slots, const std::vector<std::uint32_t>& class_of);

  int extent(int slot) const { return extents_[static_cast<std::size_t>(slot)]; }  // a digit is below this
  std::size_t size() const { return extents_.size(); }
  std::size_t choice_count() const { return space_.decisions.size(); }

  // The slot of a digit that tells two others, and no more; nullopt where it has as many values as they have pairs.
  std::optional<int> join(int slot, int other);
  // The value of digit `slot` by that of digit `given`; nullopt where it takes more to know it (or too long to find out).
  std::optional<std::vector<std::uint32_t>> values_given(int slot, int given) const;

  // Changes `setting` to one in which the digit has that value, by the decisions that the digit depends on.
  void apply(int slot, int value, policies::WorkloadSetting& setting) const;

  // How a digit follows from earlier ones: digit = classes[entry of `combination`]. Only for derived digits.
  struct Derivation {
    ChoiceTable combination;
    std::vector<std::uint32_t> classes;
  };
  bool is_choice(int slot) const { return static_cast<std::size_t>(slot) < space_.decisions.size(); }
  const Derivation& derivation(int slot) const { return derivations_[static_cast<std::size_t>(slot) - space_.decisions.size()]; }
  // At choices of all decisions.
  std::uint32_t value_at(int slot, const std::vector<std::uint32_t>& choices) const;
  // The decisions that a digit depends on, ascending.
  std::vector<int> decisions_of(int slot) const;

 private:
  // More combinations of choices than that are not gone through.
  static constexpr std::size_t kMostCombinations = 4096;

  // Calls visit(choices) with each combination of choices of `decisions`, all others 0; false where there are too many.
  template <typename Visit>
  bool for_each_combination(const std::vector<int>& decisions, const Visit& visit) const;
  const policies::SearchSpace& space_;
  std::vector<int> extents_;                                 // by slot
  std::vector<Derivation> derivations_;                      // by slot, after those of the choices
  std::vector<std::vector<std::uint32_t>> representatives_;  // by derived digit and value: a combination
  std::map<std::pair<std::vector<int>, std::vector<std::uint32_t>>, int> known_;
};

}  // namespace lathe::hwmodels

// A candidate as the digits that tables are indexed by.
//
// The first digits are the candidate's choices. The others are derived: the class of a combination of earlier digits. Choices that a device
// stores alike (4 bits on a device of bytes) are one class, and so are all widths of a value's readers that lead to the same width in
// memory. What several tables ask is worked out once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

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

  // Changes `setting` to one in which the digit has that value, by the decisions that the digit depends on.
  void apply(int slot, int value, policies::WorkloadSetting& setting) const;

  // choices: of a legal candidate. digits: those of the first `count` slots (all choices at least).
  void evaluate(const int* choices, std::size_t count, std::uint32_t* digits) const;

  // The same of kLanes candidates at a time: digits[slot * kLanes + lane], as floats, whose products every processor computes side by side.
  // Exact: combinations are far below 2^24.
  static constexpr std::size_t kLanes = 8;
  void evaluate_lanes(const std::array<const int*, kLanes>& choices, std::size_t count, float* digits) const;

 private:
  struct Term {
    std::uint32_t slot, stride;
  };
  struct Derived {
    std::uint32_t first_term, end_term, first_class;
  };

  const policies::SearchSpace& space_;
  std::vector<int> extents_;      // by slot
  std::vector<Derived> derived_;  // by slot, after those of the choices
  std::vector<Term> terms_;
  std::vector<std::uint32_t> classes_;
  std::vector<std::vector<std::uint32_t>> representatives_;  // by derived digit and value: a combination
  std::map<std::pair<std::vector<int>, std::vector<std::uint32_t>>, int> known_;
};

// Sets in `setting` what one decision says.
void apply_choice(const policies::SearchSpace& space, int decision, int choice, policies::WorkloadSetting& setting);

}  // namespace lathe::hwmodels

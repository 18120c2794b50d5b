// The digits of a candidate that some tables ask for: its choices, and the derived digits among them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hwmodels/candidate_digits.h"
#include "hwmodels/table_index.h"

namespace lathe::hwmodels {

class DigitEvaluator {
 public:
  static constexpr std::size_t kLanes = TableIndex::kLanes;

  // slots: those that are asked for. Does not refer to `digits` afterwards.
  DigitEvaluator(const CandidateDigits& digits, const std::vector<int>& slots);

  std::size_t size() const { return size_; }  // of `digits` below, without lanes
  // choices: of a legal candidate. digits: by slot; those that nobody asked for are left as they are.
  void evaluate(const int* choices, std::uint32_t* digits) const;
  // The same of kLanes candidates: digits[slot * kLanes + lane].
  void evaluate_lanes(const std::array<const int*, kLanes>& choices, float* digits) const;

 private:
  std::size_t choices_, size_;
  std::vector<TableIndex> levels_;  // each needs digits of the ones before only; tables are named by the slot
  std::vector<std::uint32_t> classes_;
};

}  // namespace lathe::hwmodels

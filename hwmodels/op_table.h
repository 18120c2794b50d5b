// A table of what operators cost, and how tables of several operators become one.
#pragma once

#include <cstdint>
#include <vector>

#include "hwmodels/candidate_digits.h"
#include "hwmodels/choice_table.h"

namespace lathe::hwmodels {

struct alignas(16) OpSum {
  double latency_ms = 0, energy_mj = 0;
  OpSum& operator+=(const OpSum& other) {
    latency_ms += other.latency_ms;
    energy_mj += other.energy_mj;
    return *this;
  }
  bool operator==(const OpSum&) const = default;
};

// The sums of some operators, by the choices that these depend on.
struct OpTable {
  ChoiceTable index;
  std::vector<OpSum> costs;                // by entry
  std::vector<std::int64_t> weight_bytes;  // by entry

  // Without the axes along which nothing changes.
  void drop_idle_axes();
};

// Adds tables into others that then grow little, until no pair is left: one table has all axes of the other, or the larger one becomes a
// few times as large. Adds digits for pairs
// of digits that depend on the same choices. `tables` are in network order, where operators that share choices stand near each other.
void merge_tables(CandidateDigits& digits, std::vector<OpTable>& tables);

}  // namespace lathe::hwmodels

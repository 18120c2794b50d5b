// What a table of operators adds to the latency, by the decisions themselves and not by the digits that follow from them.
#pragma once

#include <cstddef>
#include <span>

#include "hwmodels/candidate_digits.h"
#include "hwmodels/op_table.h"
#include "policies/additive_cost.h"

namespace lathe::hwmodels {

// costs: of the table's entries. Where the decisions have more than `most_values` combinations, the digits that follow from most decisions
// are left out, each combination gets the lowest latency over them, and is_exact becomes false.
policies::CostTerm latency_term(const ChoiceTable& table, std::span<const OpSum> costs, const CandidateDigits& digits,
                                std::size_t most_values, bool& is_exact);

}  // namespace lathe::hwmodels

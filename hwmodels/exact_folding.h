// The best folding of pipelines of a few stages, by branch and bound.
#pragma once

#include <span>

#include "hwmodels/folding_solver.h"

namespace lathe::hwmodels {

// Beyond that the search takes too long.
inline constexpr std::size_t kMostExactStages = 8;

// Replaces `solution` by the one of the least interval where that is better. The arguments are those of FoldingSolver::solve.
void improve_exactly(std::span<const StageView> stages, const ResourceVector& limits, double least_interval, FoldingSolution& solution);

}  // namespace lathe::hwmodels

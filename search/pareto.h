// Non-dominated sets, and the fronts of a problem's trials. All points here are to be *minimized*; `to_minimized` converts once at the
// boundary.
#pragma once

#include <span>
#include <vector>

#include "search/hypervolume.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

bool dominates(std::span<const double> a, std::span<const double> b);  // a <= b everywhere and < somewhere
// Indices of the non-dominated points, ascending; of equal points the first stays.
std::vector<int> non_dominated(const std::vector<Point>& points);

// The front's metrics of a trial with all directions turned to minimize; and the reference point likewise.
Point to_minimized(const Problem& problem, const Front& front, const std::vector<double>& metrics);
Point minimized_reference(const Problem& problem, const Front& front);

// Complete trials that meet every limit of the front's metrics.
bool is_feasible(const Problem& problem, const Front& front, const Trial& trial);
// Ids of the Pareto set of a front, by increasing second metric (or first minimized one).
std::vector<std::int64_t> pareto_set(const Problem& problem, const Front& front, const std::vector<Trial>& trials);
double front_hypervolume(const Problem& problem, const Front& front, const std::vector<Trial>& trials);

}  // namespace lathe::search

// What selection sees of a trial, and which of two is better.
#pragma once

#include <vector>

#include "policies/search_space.h"
#include "search/hypervolume.h"

namespace lathe::search {

// Objectives are minimized; violation 0 means that all limits are kept.
struct Individual {
  policies::Candidate candidate;
  Point objectives;
  double violation = 0;
  int rank = 0;         // 0 = the best front
  double crowding = 0;  // larger = lonelier
};

// Deb et al. 2002, definition 1: a feasible solution beats an infeasible one, of two infeasible ones the smaller violation wins, of two
// feasible ones the dominating.
bool constrained_dominates(const Individual& a, const Individual& b);

// Deb et al. 2002, section III.A: sets the rank of each and returns their indices front by front.
std::vector<std::vector<int>> fast_non_dominated_sort(std::vector<Individual>& individuals);

}  // namespace lathe::search

// Policies along the front of the additive model, from the layers' sensitivities alone: a warm start that needs no trial.
#pragma once

#include <vector>

#include "search/problem.h"

namespace lathe::search {

// From the uncompressed candidate down, always the change of one decision that saves the most cost for each unit of expected loss (the
// greedy solution of the multiple-choice knapsack relaxation: H. Kellerer, U. Pferschy, D. Pisinger, Knapsack Problems, 2004,
// section 11.2), with the front's true cost at every step. Cost is the front's first minimized exact metric. Drops are measured with noise,
// so a decision's are first made to rise with compression.
//
// At most `count` candidates that the front's limits allow, evenly spaced in cost from where losses begin, the least compressed first. Ends
// where the expected loss alone would reach the reference point from a perfect score of 1. Empty where the problem has no sensitivities or
// the front no cost.
std::vector<policies::Candidate> sensitivity_path(const Problem& problem, const Front& front, int count);

}  // namespace lathe::search

// How new candidates are made of old ones: discrete operators for network spaces, real-coded ones for fine decisions.
#pragma once

#include <algorithm>
#include <cmath>

#include "models/base/rng.h"
#include "search/problem.h"

namespace lathe::search {

// Each decision from one parent or the other: half the time a run of them from b (decisions lie in network order, so layers are inherited
// whole), else each by a coin.
inline policies::Candidate crossed(const policies::Candidate& a, const policies::Candidate& b, Rng& rng) {
  policies::Candidate child = a;
  const auto size = static_cast<std::int64_t>(a.choices.size());
  if (rng.uniform() < 0.5) {
    const auto [begin, end] = std::minmax({rng.below(size + 1), rng.below(size + 1)});
    std::copy(b.choices.begin() + begin, b.choices.begin() + end, child.choices.begin() + begin);
    return child;
  }
  for (std::size_t d = 0; d < child.choices.size(); ++d) {
    if (rng.uniform() < 0.5) child.choices[d] = b.choices[d];
  }
  return child;
}

// Another value of a decision that has `values` >= 2 of them. Near ones are likelier: the step is 1 in half of the cases, 2 in a quarter,
// ..., which is polynomial mutation's shape on an ordinal scale; at an end it goes the other way.
inline int moved_choice(int choice, int values, Rng& rng) {
  const int last = values - 1;
  int step = 1;
  while (step < last && rng.uniform() < 0.5) ++step;
  const int moved = rng.uniform() < 0.5 ? choice + step : choice - step;
  if (moved >= 0 && moved <= last) return moved;
  return choice == 0 ? std::min(last, step) : std::max(0, choice - step);
}

// Decisions of so many values are nearly continuous variables, for which single steps lead nowhere.
inline bool is_fine(int values) {
  return values > 64;
}

// Another value of a fine decision, by a step whose size is log-uniform from one value to the whole range: as good for the last polish as
// for a leap. A step beyond an end stops there: optima often lie at bounds.
inline int leapt_choice(int choice, int values, Rng& rng) {
  const int last = values - 1;
  const int step = static_cast<int>(std::exp(rng.uniform(0, std::log(static_cast<double>(last)))) + 0.5);
  const int moved = std::clamp(rng.uniform() < 0.5 ? choice + step : choice - step, 0, last);
  return moved != choice ? moved : choice == 0 ? step : last - step;
}

// Simulated binary crossover (K. Deb, R. B. Agrawal, Simulated Binary Crossover for Continuous Search Space, Complex Systems 9, 1995; with
// bounds as in Deb's NSGA-II code) of two choices: one of the two children, which lie about the parents as far apart as these are. Every
// second decision is inherited unchanged.
int sbx_choice(int a, int b, int values, Rng& rng);

// Polynomial mutation (K. Deb, S. Agrawal, A Niched-Penalty Approach for Constraint Handling in Genetic Algorithms, 1999).
int polynomial_choice(int choice, int values, Rng& rng);

}  // namespace lathe::search

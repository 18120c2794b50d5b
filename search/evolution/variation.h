// How new candidates are made of old ones.
#pragma once

#include <algorithm>

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

}  // namespace lathe::search

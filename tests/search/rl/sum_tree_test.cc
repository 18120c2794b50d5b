#include "search/rl/sum_tree.h"

#include <gtest/gtest.h>

#include <vector>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

std::size_t found_by_adding_up(const std::vector<double>& weights, double position) {
  std::size_t index = 0;
  while (index + 1 < weights.size() && position >= weights[index]) position -= weights[index++];
  return index;
}

// Against adding up, with weights that are small integers so that both are exact.
TEST(SumTree, FindsWhatAddingUpFinds) {
  Rng rng(3, "sum_tree");
  SumTree tree;
  std::vector<double> weights;
  for (int step = 0; step < 200; ++step) {
    const double weight = static_cast<double>(rng.below(5));
    if (weights.empty() || rng.uniform() < 0.6) {
      weights.push_back(weight);
      tree.append(weight);
    } else {
      const auto index = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(weights.size())));
      weights[index] = weight;
      tree.set(index, weight);
    }
    double total = 0;
    for (const double w : weights) total += w;
    ASSERT_EQ(tree.total(), total);
    ASSERT_EQ(tree.size(), weights.size());
    for (double position = 0.5; position < total; ++position) ASSERT_EQ(tree.find(position), found_by_adding_up(weights, position));
  }
}

}  // namespace
}  // namespace lathe::search

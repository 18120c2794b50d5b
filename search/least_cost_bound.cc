#include "search/least_cost_bound.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "models/base/check.h"

namespace lathe::search {
namespace {

using policies::CostTerm;
using Scope = std::set<int>;

double table_size(const Scope& scope, const std::vector<int>& extents) {
  double size = 1;
  for (const int variable : scope) size *= extents[static_cast<std::size_t>(variable)];
  return size;
}

Scope joined(const std::vector<Scope>& scopes, int variable) {
  Scope all{variable};
  for (const Scope& scope : scopes) {
    if (scope.contains(variable)) all.insert(scope.begin(), scope.end());
  }
  return all;
}

// How far a step of each of `decisions` moves in the term's table; 0 where it does not depend on it.
std::vector<std::size_t> strides_of(const CostTerm& term, const std::vector<int>& decisions, const std::vector<int>& extents) {
  std::vector<std::size_t> strides(decisions.size(), 0);
  std::size_t stride = 1;
  for (const int decision : term.decisions) {
    const auto place = std::find(decisions.begin(), decisions.end(), decision);
    strides[static_cast<std::size_t>(place - decisions.begin())] = stride;
    stride *= static_cast<std::size_t>(extents[static_cast<std::size_t>(decision)]);
  }
  LATHE_CHECK_EQ(stride, term.values.size()) << "one value a combination";
  return strides;
}

}  // namespace

LeastCostBound::LeastCostBound(std::vector<int> extents, const std::vector<CostTerm>& terms, std::size_t most_values)
    : extents_(std::move(extents)), most_values_(most_values) {
  std::vector<Scope> scopes;
  for (const CostTerm& term : terms) scopes.emplace_back(term.decisions.begin(), term.decisions.end());
  Scope left;
  for (int variable = 0; variable < static_cast<int>(extents_.size()); ++variable) left.insert(variable);
  while (!left.empty()) {
    const auto size_of = [&](int variable) { return table_size(joined(scopes, variable), extents_); };
    int next = -1;
    double least = std::numeric_limits<double>::infinity();
    for (const int variable : left) {
      if (const double size = size_of(variable); size < least) next = variable, least = size;
    }
    is_exact_ &= least <= static_cast<double>(most_values_);
    Scope scope = joined(scopes, next);
    scope.erase(next);
    std::erase_if(scopes, [&](const Scope& one) { return one.contains(next); });
    scopes.push_back(std::move(scope));
    left.erase(next);
    order_.push_back(next);
  }
}

// The largest first, each into the first mini-bucket that it fits into.
std::vector<std::vector<CostTerm>> LeastCostBound::mini_buckets(std::vector<CostTerm> bucket) const {
  std::stable_sort(bucket.begin(), bucket.end(), [](const CostTerm& a, const CostTerm& b) { return a.values.size() > b.values.size(); });
  std::vector<std::vector<CostTerm>> buckets;
  std::vector<Scope> scopes;
  for (CostTerm& term : bucket) {
    std::size_t b = 0;
    for (; b < buckets.size(); ++b) {
      Scope together = scopes[b];
      together.insert(term.decisions.begin(), term.decisions.end());
      if (table_size(together, extents_) > static_cast<double>(most_values_)) continue;
      scopes[b] = std::move(together);
      break;
    }
    if (b == buckets.size()) {
      buckets.emplace_back();
      scopes.emplace_back(term.decisions.begin(), term.decisions.end());
    }
    buckets[b].push_back(std::move(term));
  }
  return buckets;
}

CostTerm LeastCostBound::minimize_over(int variable, const std::vector<CostTerm>& terms) const {
  Scope scope;
  for (const CostTerm& term : terms) scope.insert(term.decisions.begin(), term.decisions.end());
  scope.erase(variable);
  std::vector<int> decisions{variable};  // the first moves fastest
  decisions.insert(decisions.end(), scope.begin(), scope.end());
  std::vector<std::vector<std::size_t>> strides;
  for (const CostTerm& term : terms) strides.push_back(strides_of(term, decisions, extents_));

  CostTerm result{.decisions = {scope.begin(), scope.end()}, .values = {}};
  result.values.resize(static_cast<std::size_t>(table_size(scope, extents_)));
  const int extent = extents_[static_cast<std::size_t>(variable)];
  std::vector<int> choices(decisions.size(), 0);
  std::vector<std::size_t> entries(terms.size(), 0);
  for (double& value : result.values) {
    value = std::numeric_limits<double>::infinity();
    for (int choice = 0; choice < extent; ++choice) {
      double sum = 0;
      for (std::size_t t = 0; t < terms.size(); ++t) sum += terms[t].values[entries[t] + strides[t][0] * static_cast<std::size_t>(choice)];
      value = std::min(value, sum);
    }
    for (std::size_t d = 1; d < decisions.size(); ++d) {  // the next combination of the others
      const bool is_last = ++choices[d] == extents_[static_cast<std::size_t>(decisions[d])];
      const std::size_t back = is_last ? static_cast<std::size_t>(choices[d] - 1) : 0;
      for (std::size_t t = 0; t < terms.size(); ++t) entries[t] += is_last ? std::size_t{0} - back * strides[t][d] : strides[t][d];
      if (!is_last) break;
      choices[d] = 0;
    }
  }
  return result;
}

double LeastCostBound::bound(std::vector<CostTerm> terms) const {
  double total = 0;
  for (const int variable : order_) {
    const auto depends = [&](const CostTerm& term) {
      return std::find(term.decisions.begin(), term.decisions.end(), variable) != term.decisions.end();
    };
    const auto first = std::stable_partition(terms.begin(), terms.end(), std::not_fn(depends));
    std::vector<CostTerm> bucket(std::make_move_iterator(first), std::make_move_iterator(terms.end()));
    terms.erase(first, terms.end());
    if (bucket.empty()) continue;
    for (const std::vector<CostTerm>& part : mini_buckets(std::move(bucket))) {
      CostTerm left = minimize_over(variable, part);
      if (left.decisions.empty()) {
        total += left.values.front();
      } else {
        terms.push_back(std::move(left));
      }
    }
  }
  for (const CostTerm& term : terms) total += term.values.front();  // of terms that depend on nothing
  return total;
}

}  // namespace lathe::search

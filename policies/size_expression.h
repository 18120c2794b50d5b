// Extents and element counts as functions of how many channels each coupling group keeps, made for evaluating them a million times.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "policies/coupling_groups.h"

namespace lathe::policies {

// constant + sum over terms of coefficient * product of the kept counts of `groups`.
class Extent {
 public:
  Extent() = default;
  explicit Extent(std::int64_t constant) : constant_(constant) {}
  explicit Extent(const AxisExpression& axis) {
    for (const Segment& segment : axis) add(segment);
  }

  std::int64_t operator()(const std::vector<std::int64_t>& kept_counts) const {
    std::int64_t sum = constant_;
    for (const Term& term : terms_) {
      std::int64_t product = term.coefficient;
      for (const int group : term.groups) product *= kept_counts[static_cast<std::size_t>(group)];
      sum += product;
    }
    return sum;
  }

  bool is_constant() const { return terms_.empty(); }
  // Takes the number out of number * groups; 1 for sums.
  std::int64_t take_coefficient() {
    if (constant_ != 0 || terms_.size() != 1) return 1;
    return std::exchange(terms_.front().coefficient, 1);
  }
  void add_groups(std::set<int>& groups) const {
    for (const Term& term : terms_) groups.insert(term.groups.begin(), term.groups.end());
  }

 private:
  struct Term {
    std::int64_t coefficient;
    std::vector<int> groups;
  };

  void add(const Segment& segment) {
    Term term{1, {}};
    for (const Factor& factor : segment) {
      if (factor.group < 0) {
        term.coefficient *= factor.size;
      } else {
        term.groups.push_back(factor.group);
      }
    }
    if (term.groups.empty()) {
      constant_ += term.coefficient;
    } else {
      terms_.push_back(std::move(term));
    }
  }

  std::int64_t constant_ = 0;
  std::vector<Term> terms_;
};

// A product of extents.
class Size {
 public:
  void multiply(Extent extent) {
    if (extent.is_constant()) {
      constant_ *= extent({});
      return;
    }
    constant_ *= extent.take_coefficient();
    extents_.push_back(std::move(extent));
  }

  std::int64_t operator()(const std::vector<std::int64_t>& kept_counts) const {
    std::int64_t product = constant_;
    for (const Extent& extent : extents_) product *= extent(kept_counts);
    return product;
  }

  // Divides the constant factor; false, and nothing changed, where that leaves a rest.
  bool divide(std::int64_t divisor) {
    if (constant_ % divisor != 0) return false;
    constant_ /= divisor;
    return true;
  }

  void add_groups(std::set<int>& groups) const {
    for (const Extent& extent : extents_) extent.add_groups(groups);
  }

 private:
  std::int64_t constant_ = 1;
  std::vector<Extent> extents_;
};

}  // namespace lathe::policies

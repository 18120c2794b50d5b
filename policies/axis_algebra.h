// The algebra of axes that coupling analysis computes with (coupling_groups.h states the idea). While a network is walked, dimensions
// are merged, split and frozen; expressions made earlier stay valid, since `resolve` rewrites them to what is known by now.
//
// Laws: resolve never changes the extent of an axis; after unify(a, b) the two resolve to expressions that keep the same indices
// whatever is removed of the remaining dimensions; a frozen dimension never becomes prunable again.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lathe::policies {

// A factor: a dimension, or with dimension -1 a plain integer with the reason why it is one. Size kDynamic (-1) stands for the batch.
struct Term {
  int dimension = -1;
  std::int64_t size = 1;
  int reason = 0;  // of an integer: index for AxisAlgebra::reason_text
};
using Product = std::vector<Term>;  // row-major; empty = extent 1; terms of size 1 are left out
using Axis = std::vector<Product>;  // concatenation

class AxisAlgebra {
 public:
  AxisAlgebra();

  // A new prunable dimension (extent 1 is the empty product).
  Axis fresh(std::int64_t size);
  // An integer; `reason` says in the user's words why nothing can be removed from it. kDynamic for an extent that depends on the batch.
  Axis fixed(std::int64_t size, const std::string& reason);

  // A new prunable dimension of positions that are chosen anew for each input (tokens). Whatever sums or normalizes over them does so over
  // those that stay, so that nothing has to be zero. Where it is split, its parts are common dimensions.
  Axis selection(std::int64_t size);

  // The axis in terms of the dimensions that now exist. May freeze a dimension: where a concatenation lies below a prunable factor,
  // (A)(B + C), removing one index of A removes a piece of several segments, which a flat concatenation cannot say.
  Axis resolve(const Axis& axis);
  // Extent of the row-major product of the axes, slowest first.
  Axis multiply(std::span<const Axis> factors);
  // Makes both axes keep the same indices. Axes of different extent are frozen with `reason`.
  void unify(const Axis& a, const Axis& b, const std::string& reason);
  // The first `cut` indices and the rest, 0 <= cut <= extent; splits dimensions where the cut falls into them. An empty side is {}.
  std::pair<Axis, Axis> split(const Axis& axis, std::int64_t cut, const std::string& reason);

  void freeze(const Axis& axis, const std::string& reason);
  bool has_prunable(const Axis& axis);
  // Whether all that is prunable of the axis are selections, and something is.
  bool is_selection(const Axis& axis);
  bool is_frozen(int dimension) const;
  std::int64_t size_of(int dimension) const;
  // Why a frozen dimension or an integer is not prunable.
  const std::string& reason_of(const Term& term) const;

  // A word for what the dimensions of an axis are used as ("heads"); the first hint of a dimension stays.
  void hint(const Axis& axis, const std::string& word);
  const std::string& hint_of(int dimension) const;

 private:
  struct Dimension {
    std::int64_t size;
    std::optional<Axis> value;  // what it was replaced by: another dimension, a product or a sum
    bool frozen = false;
    int reason = 0;
    bool is_selection = false;
    std::string hint;
  };
  using Pieces = std::deque<Product>;

  bool is_fixed(const Term& term) const;
  Term as_integer(const Term& term, std::int64_t size) const;
  int new_dimension(std::int64_t size);
  int intern(const std::string& reason);
  bool freeze_product(const Product& product, int reason);
  Axis compact(const Axis& axis);
  Axis times(const Axis& left, const Axis& operand);
  void unify_with_batch(const Axis& a, const Axis& b, const std::string& reason);
  // Each returns whether dimensions changed, in which case the axes must be resolved anew.
  bool unify_step(const Axis& a, const Axis& b, int reason);
  bool unify_products(const Product& a, const Product& b, int reason);
  bool unify_equal(const Term& a, const Term& b);
  bool cut_front(Pieces& pieces, std::int64_t cut, int reason);

  std::vector<Dimension> dimensions_;
  std::vector<std::string> reasons_;
};

// Extent; kDynamic if it depends on the batch.
std::int64_t extent(const Product& product);
std::int64_t extent(const Axis& axis);

}  // namespace lathe::policies

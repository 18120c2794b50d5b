#include "policies/axis_algebra.h"

#include <algorithm>

#include "models/base/check.h"
#include "models/network.h"

namespace lathe::policies {
namespace {

using models::kDynamic;

// Above this many pieces an axis is frozen rather than written out as copies: no real network comes near, and each unification walks them.
constexpr std::int64_t kMaxSegments = 4096;

Product without_ones(const Product& product) {
  Product result;
  for (const Term& term : product) {
    if (term.size != 1) result.push_back(term);
  }
  return result;
}

// A product without its first factor.
Product tail(const Product& product) {
  return Product(product.begin() + 1, product.end());
}

Product prepend(const Term& term, const Product& product) {
  Product result;
  if (term.size != 1) result.push_back(term);
  result.insert(result.end(), product.begin(), product.end());
  return result;
}

}  // namespace

std::int64_t extent(const Product& product) {
  std::int64_t size = 1;
  for (const Term& term : product) {
    if (term.size == kDynamic) return kDynamic;
    size *= term.size;
  }
  return size;
}

std::int64_t extent(const Axis& axis) {
  std::int64_t size = 0;
  for (const Product& product : axis) {
    const std::int64_t part = extent(product);
    if (part == kDynamic) return kDynamic;
    size += part;
  }
  return size;
}

AxisAlgebra::AxisAlgebra() : reasons_{""} {}

int AxisAlgebra::intern(const std::string& reason) {
  const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
  if (found != reasons_.end()) return static_cast<int>(found - reasons_.begin());
  reasons_.push_back(reason);
  return static_cast<int>(reasons_.size()) - 1;
}

int AxisAlgebra::new_dimension(std::int64_t size) {
  dimensions_.push_back({.size = size});
  return static_cast<int>(dimensions_.size()) - 1;
}

Axis AxisAlgebra::fresh(std::int64_t size) {
  if (size == kDynamic) return fixed(size, "batch");
  if (size == 0) return {};
  if (size == 1) return {{}};
  return {{{.dimension = new_dimension(size), .size = size}}};
}

Axis AxisAlgebra::fixed(std::int64_t size, const std::string& reason) {
  if (size == 0) return {};
  if (size == 1) return {{}};
  return {{{.dimension = -1, .size = size, .reason = intern(reason)}}};
}

Axis AxisAlgebra::selection(std::int64_t size) {
  const Axis axis = fresh(size);
  for (const Product& product : axis) {
    for (const Term& term : product) dimensions_[static_cast<std::size_t>(term.dimension)].is_selection = true;
  }
  return axis;
}

bool AxisAlgebra::is_frozen(int dimension) const {
  return dimensions_[static_cast<std::size_t>(dimension)].frozen;
}
std::int64_t AxisAlgebra::size_of(int dimension) const {
  return dimensions_[static_cast<std::size_t>(dimension)].size;
}
bool AxisAlgebra::is_fixed(const Term& term) const {
  return term.dimension < 0 || is_frozen(term.dimension);
}

const std::string& AxisAlgebra::reason_of(const Term& term) const {
  const int reason = term.dimension < 0 ? term.reason : dimensions_[static_cast<std::size_t>(term.dimension)].reason;
  return reasons_[static_cast<std::size_t>(reason)];
}

Term AxisAlgebra::as_integer(const Term& term, std::int64_t size) const {
  const int reason = term.dimension < 0 ? term.reason : dimensions_[static_cast<std::size_t>(term.dimension)].reason;
  return {.dimension = -1, .size = size, .reason = reason};
}

bool AxisAlgebra::freeze_product(const Product& product, int reason) {
  bool changed = false;
  for (const Term& term : product) {
    if (is_fixed(term)) continue;
    Dimension& dimension = dimensions_[static_cast<std::size_t>(term.dimension)];
    dimension.frozen = true;
    dimension.reason = reason;
    changed = true;
  }
  return changed;
}

void AxisAlgebra::freeze(const Axis& axis, const std::string& reason) {
  const int index = intern(reason);
  for (const Product& product : resolve(axis)) freeze_product(product, index);
}

bool AxisAlgebra::has_prunable(const Axis& axis) {
  for (const Product& product : resolve(axis)) {
    if (std::any_of(product.begin(), product.end(), [&](const Term& term) { return !is_fixed(term); })) return true;
  }
  return false;
}

bool AxisAlgebra::is_selection(const Axis& axis) {
  bool is_some = false;
  for (const Product& product : resolve(axis)) {
    for (const Term& term : product) {
      if (is_fixed(term)) continue;
      if (!dimensions_[static_cast<std::size_t>(term.dimension)].is_selection) return false;
      is_some = true;
    }
  }
  return is_some;
}

void AxisAlgebra::hint(const Axis& axis, const std::string& word) {
  for (const Product& product : resolve(axis)) {
    for (const Term& term : product) {
      if (term.dimension < 0) continue;
      std::string& hint = dimensions_[static_cast<std::size_t>(term.dimension)].hint;
      if (hint.empty()) hint = word;
    }
  }
}

const std::string& AxisAlgebra::hint_of(int dimension) const {
  return dimensions_[static_cast<std::size_t>(dimension)].hint;
}

Axis AxisAlgebra::resolve(const Axis& axis) {
  Axis result;
  for (const Product& product : axis) {
    Axis value{{}};
    for (auto term = product.rbegin(); term != product.rend(); ++term) {
      Axis factor{without_ones({*term})};
      if (term->dimension >= 0) {
        const std::optional<Axis> replacement = dimensions_[static_cast<std::size_t>(term->dimension)].value;
        if (replacement) {  // remembered resolved, so that chains of replacements stay short
          factor = resolve(*replacement);
          dimensions_[static_cast<std::size_t>(term->dimension)].value = factor;
        }
      }
      value = times(factor, value);
    }
    result.insert(result.end(), value.begin(), value.end());
  }
  return result;
}

// A concatenation of equal parts is a product, P + P = 2 P, and one of integers an integer; anything else stays as it is.
Axis AxisAlgebra::compact(const Axis& axis) {
  const auto is_integer = [&](const Product& product) {
    return std::all_of(product.begin(), product.end(), [&](const Term& term) { return is_fixed(term) && term.size != kDynamic; });
  };
  const auto same_term = [](const Term& a, const Term& b) { return a.dimension == b.dimension && a.size == b.size; };
  const auto same = [&](const Product& product) {
    return std::equal(product.begin(), product.end(), axis[0].begin(), axis[0].end(), same_term);
  };
  if (axis.size() < 2) return axis;
  Term count{.dimension = -1, .size = extent(axis), .reason = intern("its parts are used in different places")};
  for (const Product& product : axis) {
    if (!product.empty() && is_fixed(product[0])) count.reason = as_integer(product[0], 1).reason;
  }
  if (std::all_of(axis.begin(), axis.end(), is_integer)) return {{count}};
  if (!std::all_of(axis.begin(), axis.end(), same)) return axis;
  count.size = static_cast<std::int64_t>(axis.size());
  return {prepend(count, axis[0])};
}

// (L1 + L2)(R) = L1 R + L2 R; L (R1 + R2) is |L| copies of R1 + R2, for which L must be frozen.
Axis AxisAlgebra::times(const Axis& left, const Axis& operand) {
  const Axis right = compact(operand);
  if (right.empty()) return {};
  Axis result;
  for (const Product& outer : left) {
    if (right.size() == 1) {
      Product product = outer;
      product.insert(product.end(), right[0].begin(), right[0].end());
      result.push_back(std::move(product));
      continue;
    }
    freeze_product(outer, intern("each of its channels spans several concatenated parts"));
    const std::int64_t copies = extent(outer);
    if (copies == kDynamic || copies * static_cast<std::int64_t>(right.size()) > kMaxSegments) {
      const int reason = intern("it lies in a concatenation that is repeated for each of many positions");
      for (const Product& product : right) freeze_product(product, reason);
      Product product = outer;
      product.push_back({.dimension = -1, .size = extent(right), .reason = reason});
      result.push_back(std::move(product));
      continue;
    }
    for (std::int64_t i = 0; i < copies; ++i) result.insert(result.end(), right.begin(), right.end());
  }
  return result;
}

Axis AxisAlgebra::multiply(std::span<const Axis> factors) {
  Axis result{{}};
  for (auto factor = factors.rbegin(); factor != factors.rend(); ++factor) result = times(resolve(*factor), result);
  return resolve(result);
}

void AxisAlgebra::unify(const Axis& a, const Axis& b, const std::string& reason) {
  const std::int64_t size_a = extent(a), size_b = extent(b);
  if (size_a == kDynamic && size_b == kDynamic) return unify_with_batch(a, b, reason);
  if (size_a != size_b) {
    freeze(a, reason);
    freeze(b, reason);
    return;
  }
  const int index = intern(reason);
  while (unify_step(resolve(a), resolve(b), index)) {
  }
}

// Both extents are the batch, perhaps times something: [N * H] against [N * H].
void AxisAlgebra::unify_with_batch(const Axis& a, const Axis& b, const std::string& reason) {
  const Axis left = resolve(a), right = resolve(b);
  const auto is_batch = [](const Term& term) { return term.size == kDynamic; };
  const auto has_one_batch = [&](const Axis& axis) {
    return axis.size() == 1 && std::count_if(axis[0].begin(), axis[0].end(), is_batch) == 1;
  };
  if (has_one_batch(left) && has_one_batch(right)) {
    const auto n = std::find_if(left[0].begin(), left[0].end(), is_batch), m = std::find_if(right[0].begin(), right[0].end(), is_batch);
    unify({Product(left[0].begin(), n)}, {Product(right[0].begin(), m)}, reason);
    unify({Product(n + 1, left[0].end())}, {Product(m + 1, right[0].end())}, reason);
    return;
  }
  freeze(left, reason);
  freeze(right, reason);
}

bool AxisAlgebra::unify_step(const Axis& a, const Axis& b, int reason) {
  Pieces left(a.begin(), a.end()), right(b.begin(), b.end());
  while (!left.empty() && !right.empty()) {
    const std::int64_t size_left = extent(left.front()), size_right = extent(right.front());
    if (size_left == size_right) {
      if (unify_products(left.front(), right.front(), reason)) return true;
      left.pop_front();
      right.pop_front();
    } else if (cut_front(size_left > size_right ? left : right, std::min(size_left, size_right), reason)) {
      return true;
    }
  }
  return false;
}

// Cuts the first piece, whose extent is above `cut`, so that what is first then comes nearer to `cut` in extent.
bool AxisAlgebra::cut_front(Pieces& pieces, std::int64_t cut, int reason) {
  const Product piece = without_ones(pieces.front());
  const Term lead = piece[0];
  const Product rest = tail(piece);
  const std::int64_t stride = extent(rest);
  if (is_fixed(lead)) {  // n copies of the rest: take as many as fit, or one to be cut further
    const std::int64_t copies = std::max<std::int64_t>(cut / stride, 1);
    pieces.pop_front();
    if (copies < lead.size) pieces.push_front(prepend(as_integer(lead, lead.size - copies), rest));
    pieces.push_front(prepend(as_integer(lead, copies), rest));
    return false;
  }
  if (cut % stride != 0) return freeze_product({lead}, reason);
  const std::int64_t first = cut / stride;
  Axis parts = fresh(first);
  const Axis second = fresh(lead.size - first);
  parts.insert(parts.end(), second.begin(), second.end());
  dimensions_[static_cast<std::size_t>(lead.dimension)].value = std::move(parts);
  return true;
}

bool AxisAlgebra::unify_products(const Product& a, const Product& b, int reason) {
  Product left = without_ones(a), right = without_ones(b);
  std::reverse(left.begin(), left.end());  // the slowest factor last, where it is cheap to take away
  std::reverse(right.begin(), right.end());
  while (!left.empty() && !right.empty()) {
    const Term x = left.back(), y = right.back();
    if (x.size == y.size) {
      if (unify_equal(x, y)) return true;
      left.pop_back();
      right.pop_back();
      continue;
    }
    const Term& larger = x.size > y.size ? x : y;
    const std::int64_t smaller = std::min(x.size, y.size);
    if (larger.size % smaller != 0) {
      const bool changed = freeze_product(a, reason);
      return freeze_product(b, reason) || changed;
    }
    if (!is_fixed(larger)) {
      Product factors = fresh(smaller)[0];
      const Axis inner = fresh(larger.size / smaller);
      factors.insert(factors.end(), inner[0].begin(), inner[0].end());
      dimensions_[static_cast<std::size_t>(larger.dimension)].value = Axis{std::move(factors)};
      return true;
    }
    Product& side = x.size > y.size ? left : right;
    side.back() = as_integer(larger, larger.size / smaller);
    side.push_back(as_integer(larger, smaller));
  }
  return false;
}

// Two factors of one size become one.
bool AxisAlgebra::unify_equal(const Term& a, const Term& b) {
  if (a.dimension == b.dimension) return false;
  if (a.dimension < 0) return freeze_product({b}, a.reason);
  if (b.dimension < 0) return freeze_product({a}, b.reason);
  const int kept = std::min(a.dimension, b.dimension), gone = std::max(a.dimension, b.dimension);
  Dimension& root = dimensions_[static_cast<std::size_t>(kept)];
  Dimension& other = dimensions_[static_cast<std::size_t>(gone)];
  if (other.frozen && !root.frozen) {
    root.frozen = true;
    root.reason = other.reason;
  }
  if (root.is_selection && other.is_selection && !root.frozen) {  // chosen in two ways at once
    root.frozen = true;
    root.reason = intern("two selections of tokens meet");
  }
  root.is_selection = root.is_selection || other.is_selection;
  if (root.hint.empty()) root.hint = other.hint;
  other.value = Axis{{{.dimension = kept, .size = root.size}}};
  return true;
}

std::pair<Axis, Axis> AxisAlgebra::split(const Axis& axis, std::int64_t cut, const std::string& reason) {
  const int index = intern(reason);
  while (true) {
    const Axis resolved = resolve(axis);
    Pieces pieces(resolved.begin(), resolved.end());
    std::pair<Axis, Axis> result;
    std::int64_t left = cut;
    bool changed = false;
    while (left > 0 && !changed) {
      LATHE_CHECK(!pieces.empty()) << "cut beyond the end of an axis";
      const std::int64_t size = extent(pieces.front());
      if (size > left) {
        changed = cut_front(pieces, left, index);
        continue;
      }
      result.first.push_back(pieces.front());
      pieces.pop_front();
      left -= size;
    }
    if (changed) continue;
    result.second.assign(pieces.begin(), pieces.end());
    return result;
  }
}

}  // namespace lathe::policies

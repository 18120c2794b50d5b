#include "search/evolution/variation.h"

namespace lathe::search {
namespace {

// Distribution indices: the defaults of pymoo's NSGA-II.
constexpr double kCrossoverIndex = 15, kMutationIndex = 20;

int to_choice(double position, int last) {
  return std::clamp(static_cast<int>(std::lround(position * last)), 0, last);
}

// How far a child lies from the parents' middle, in half distances of the parents; `room`: from the parent to the bound on the child's
// side.
double spread(double u, double room, double distance) {
  const double beta = 1 + 2 * room / distance, alpha = 2 - std::pow(beta, -(kCrossoverIndex + 1));
  const double base = u <= 1 / alpha ? u * alpha : 1 / (2 - u * alpha);
  return std::pow(base, 1 / (kCrossoverIndex + 1));
}

}  // namespace

int sbx_choice(int a, int b, int values, Rng& rng) {
  if (a == b || rng.uniform() < 0.5) return a;
  const int last = values - 1;
  const double low = static_cast<double>(std::min(a, b)) / last, high = static_cast<double>(std::max(a, b)) / last;
  const double u = rng.uniform(), middle = 0.5 * (low + high), half = 0.5 * (high - low);
  const bool is_low_child = rng.uniform() < 0.5;
  const double child = is_low_child ? middle - half * spread(u, low, high - low) : middle + half * spread(u, 1 - high, high - low);
  return to_choice(child, last);
}

int polynomial_choice(int choice, int values, Rng& rng) {
  const int last = values - 1;
  const double x = static_cast<double>(choice) / last, u = rng.uniform(), power = kMutationIndex + 1;
  const double moved = u <= 0.5 ? x + std::pow(2 * u + (1 - 2 * u) * std::pow(1 - x, power), 1 / power) - 1
                                : x + 1 - std::pow(2 * (1 - u) + (2 * u - 1) * std::pow(x, power), 1 / power);
  return to_choice(moved, last);
}

}  // namespace lathe::search

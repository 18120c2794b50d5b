#include "search/pareto_archive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/base/check.h"

namespace lathe::search {
namespace {

constexpr std::size_t kLargestBlock = 64;

bool is_no_worse(const double* a, const double* b, std::size_t dimensions) {
  for (std::size_t k = 0; k < dimensions; ++k) {
    if (!(a[k] <= b[k])) return false;
  }
  return true;
}

}  // namespace

ParetoArchive::ParetoArchive(std::size_t dimensions) : dimensions_(dimensions) {
  LATHE_CHECK_GE(dimensions, std::size_t{1});
}

bool ParetoArchive::is_covered(std::span<const double> point) const {
  for (const Block& block : blocks_) {
    if (!is_no_worse(block.low.data(), point.data(), dimensions_)) continue;
    for (std::size_t i = 0; i < block.ids.size(); ++i) {
      if (is_no_worse(block.values.data() + i * dimensions_, point.data(), dimensions_)) return true;
    }
  }
  return false;
}

void ParetoArchive::drop_dominated(std::span<const double> point) {
  for (Block& block : blocks_) {
    if (!is_no_worse(point.data(), block.high.data(), dimensions_)) continue;
    for (std::size_t i = block.ids.size(); i-- > 0;) {
      double* member = block.values.data() + i * dimensions_;
      if (!is_no_worse(point.data(), member, dimensions_)) continue;
      std::copy(block.values.end() - static_cast<std::ptrdiff_t>(dimensions_), block.values.end(), member);
      block.values.resize(block.values.size() - dimensions_);
      block.ids[i] = block.ids.back();
      block.ids.pop_back();
      --size_;
    }
  }
  std::erase_if(blocks_, [](const Block& block) { return block.ids.empty(); });
}

// The block whose middle is nearest.
ParetoArchive::Block& ParetoArchive::nearest_block(std::span<const double> point) {
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    double distance = 0;
    for (std::size_t k = 0; k < dimensions_; ++k) {
      const double d = 0.5 * (blocks_[b].low[k] + blocks_[b].high[k]) - point[k];
      distance += d * d;
    }
    if (distance < least) {
      least = distance;
      best = b;
    }
  }
  return blocks_[best];
}

// In two halves by the coordinate in which the block is widest.
void ParetoArchive::split(std::size_t block) {
  const Block whole = std::move(blocks_[block]);
  std::size_t widest = 0;
  for (std::size_t k = 1; k < dimensions_; ++k) {
    if (whole.high[k] - whole.low[k] > whole.high[widest] - whole.low[widest]) widest = k;
  }
  std::vector<std::size_t> order(whole.ids.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return whole.values[a * dimensions_ + widest] < whole.values[b * dimensions_ + widest];
  });
  Block halves[2];
  for (std::size_t i = 0; i < order.size(); ++i) {
    Block& half = halves[i < order.size() / 2 ? 0 : 1];
    const double* member = whole.values.data() + order[i] * dimensions_;
    if (half.ids.empty()) half.low = half.high = Point(member, member + dimensions_);
    for (std::size_t k = 0; k < dimensions_; ++k) {
      half.low[k] = std::min(half.low[k], member[k]);
      half.high[k] = std::max(half.high[k], member[k]);
    }
    half.values.insert(half.values.end(), member, member + dimensions_);
    half.ids.push_back(whole.ids[order[i]]);
  }
  blocks_[block] = std::move(halves[0]);
  blocks_.push_back(std::move(halves[1]));
}

bool ParetoArchive::insert(const Point& point, std::int64_t id) {
  LATHE_CHECK_EQ(point.size(), dimensions_);
  if (std::any_of(point.begin(), point.end(), [](double v) { return std::isnan(v); }) || is_covered(point)) return false;
  drop_dominated(point);
  if (blocks_.empty()) blocks_.push_back({point, point, {}, {}});
  Block& block = nearest_block(point);
  for (std::size_t k = 0; k < dimensions_; ++k) {
    block.low[k] = std::min(block.low[k], point[k]);
    block.high[k] = std::max(block.high[k], point[k]);
  }
  block.values.insert(block.values.end(), point.begin(), point.end());
  block.ids.push_back(id);
  ++size_;
  if (block.ids.size() > kLargestBlock) split(static_cast<std::size_t>(&block - blocks_.data()));
  return true;
}

std::vector<std::int64_t> ParetoArchive::ids() const {
  std::vector<std::int64_t> all;
  for (const Block& block : blocks_) all.insert(all.end(), block.ids.begin(), block.ids.end());
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Point> ParetoArchive::points() const {
  std::vector<std::pair<std::int64_t, Point>> members;
  for (const Block& block : blocks_) {
    for (std::size_t i = 0; i < block.ids.size(); ++i) {
      const double* member = block.values.data() + i * dimensions_;
      members.emplace_back(block.ids[i], Point(member, member + dimensions_));
    }
  }
  std::sort(members.begin(), members.end());
  std::vector<Point> points;
  for (auto& [id, point] : members) points.push_back(std::move(point));
  return points;
}

double ParetoArchive::hypervolume(const Point& reference) const {
  return search::hypervolume(points(), reference);
}

}  // namespace lathe::search

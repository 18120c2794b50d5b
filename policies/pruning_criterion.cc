#include "policies/pruning_criterion.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "models/base/check.h"
#include "policies/weight_criteria.h"

namespace lathe::policies {
namespace {

using WeightCriterion = std::function<Importance(const models::Network&, const CouplingAnalysis&, std::uint64_t seed)>;

const std::map<std::string, WeightCriterion>& weight_criteria() {
  static const std::map<std::string, WeightCriterion> all{
      {"l1", [](const auto& network, const auto& analysis, auto) { return l1_importance(network, analysis); }},
      {"l2", [](const auto& network, const auto& analysis, auto) { return l2_importance(network, analysis); }},
      {"batch_norm", [](const auto& network, const auto& analysis, auto) { return batch_norm_importance(network, analysis); }},
      {"fpgm", [](const auto& network, const auto& analysis, auto) { return fpgm_importance(network, analysis); }},
      {"random", [](const auto&, const auto& analysis, auto seed) { return random_importance(analysis, seed); }}};
  return all;
}

}  // namespace

bool needs_rows(const std::string& criterion) {
  return !weight_criteria().contains(criterion) && criterion != kAttentionCriterion;
}

Importance weight_importance(const models::Network& network, const CouplingAnalysis& analysis, const std::string& criterion,
                             std::uint64_t seed) {
  const auto found = weight_criteria().find(criterion);
  LATHE_CHECK(found != weight_criteria().end()) << "'" << criterion << "' is no criterion of weights";
  return found->second(network, analysis, seed);
}

std::int64_t kept_count(const GroupPolicy& entry, const CouplingGroup& group) {
  if (!entry.kept.empty()) return static_cast<std::int64_t>(entry.kept.size());
  if (entry.channels > 0) return entry.channels;
  return std::max<std::int64_t>(1, std::llround(entry.keep_ratio * static_cast<double>(group.channels)));
}

std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::int64_t count) {
  LATHE_CHECK(count >= 0 && count <= static_cast<std::int64_t>(importance.size())) << count << " of " << importance.size();
  std::vector<std::int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return importance[static_cast<std::size_t>(a)] > importance[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace lathe::policies

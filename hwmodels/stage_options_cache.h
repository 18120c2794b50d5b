// The options of all stages that were asked for, their lines side by side in large pages.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <memory_resource>
#include <shared_mutex>
#include <tuple>

#include "hwmodels/stage_options.h"

namespace lathe::hwmodels {

// Equal layers, and candidates that agree on a layer, share their options. Thread-safe.
class StageOptionsCache {
 public:
  StageOptionsCache();
  ~StageOptionsCache();

  // Lives as long as the cache.
  const StageOptions& get(const DataflowStage& stage, const DataflowParameters& parameters);

 private:
  // What the options depend on: pixels, groups, n, k, window, buffer bits; multipliers, widths of weights, activations, outputs.
  using Key = std::tuple<std::array<double, 6>, std::array<int, 4>>;
  std::shared_mutex mutex_;
  std::unique_ptr<std::pmr::memory_resource> pages_;
  std::pmr::monotonic_buffer_resource lines_;
  std::map<Key, StageOptions> known_;
};

}  // namespace lathe::hwmodels

#include "hwmodels/stage_options_cache.h"

#include <cstdlib>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lathe::hwmodels {
namespace {

// Large pages where the system has them: a search touches a few lines of many stages, whose addresses would else be looked up in memory
// too.
class LargePages final : public std::pmr::memory_resource {
  static constexpr std::size_t kPageBytes = std::size_t{2} << 20;

  void* do_allocate(std::size_t bytes, std::size_t) override {
    const std::size_t rounded = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    void* memory = std::aligned_alloc(kPageBytes, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
    madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override {
    std::free(memory);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override {
    return this == &other;
  }
};

}  // namespace

StageOptionsCache::StageOptionsCache() : pages_(std::make_unique<LargePages>()), lines_(std::size_t{2} << 20, pages_.get()) {}
StageOptionsCache::~StageOptionsCache() = default;

const StageOptions& StageOptionsCache::get(const DataflowStage& stage, const DataflowParameters& parameters) {
  // Only stages without multipliers depend on the width of their output.
  const Key key{{stage.pixels, stage.groups, stage.n, stage.k, stage.window, stage.buffer_bits},
                {stage.has_multipliers ? 1 : 0, stage.weight_bits, stage.activation_bits, stage.has_multipliers ? 0 : stage.output_bits}};
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  const StageOptions made = stage_options(stage, parameters);
  const std::unique_lock lock(mutex_);
  return known_.try_emplace(key, made, &lines_).first->second;
}

}  // namespace lathe::hwmodels

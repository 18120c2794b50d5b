#include "models/internal/allocator.h"

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace lathe::models::internal {

void keep_freed_memory() {
#ifdef __GLIBC__
  // 32 MiB is the largest threshold that glibc takes; allocations beyond it still come from the kernel.
  constexpr int kMmapThreshold = 32 << 20, kTrimThreshold = 1 << 30;
  static const bool is_set = mallopt(M_MMAP_THRESHOLD, kMmapThreshold) == 1 && mallopt(M_TRIM_THRESHOLD, kTrimThreshold) == 1;
  static_cast<void>(is_set);
#endif
}

}  // namespace lathe::models::internal

#include "hwmodels/roofline.h"

#include <algorithm>

namespace lathe::hwmodels {

OpEstimate roofline(const KernelWork& work, const ComputeType& type, const MemoryLevels& memory, double dram_bytes) {
  constexpr double kPico = 1e-12;
  return {.compute_s = work.compute_s,
          .memory_s = std::max(work.cache_bytes / memory.cache_bytes_per_s, dram_bytes / memory.dram_bytes_per_s),
          .overhead_s = work.overhead_s,
          .dynamic_j =
              (work.macs * type.pj_per_mac + work.cache_bytes * memory.cache_pj_per_byte + dram_bytes * memory.dram_pj_per_byte) * kPico};
}

}  // namespace lathe::hwmodels

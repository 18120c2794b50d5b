// Time in memory and energy of a kernel on a machine with a shared cache before its main memory; the models add what overlaps.
#pragma once

#include "hwmodels/additive_model.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {

// What a kernel does to the machine.
struct KernelWork {
  double compute_s = 0;
  double macs = 0;          // really executed, padding included, for energy
  double cache_bytes = 0;   // to and from the shared cache
  double weight_bytes = 0;  // from memory
  double overhead_s = 0;    // starts
};

struct MemoryLevels {
  double cache_bytes_per_s, dram_bytes_per_s;
  double cache_pj_per_byte, dram_pj_per_byte;
};

// All of an estimate but latency_s.
OpEstimate roofline(const KernelWork& work, const ComputeType& type, const MemoryLevels& memory, double dram_bytes);

}  // namespace lathe::hwmodels

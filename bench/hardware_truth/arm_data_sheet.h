// What a heading such as "Khadas VIM3, Amlogic A311D (Cortex-A73 2.2GHz x 4 + Cortex-A53 1.8GHz x 2)" says of a board, as a device of the
// ARM model: cores, clocks and counts from the text, what a core can do from arm_data_sheets/cores.csv, and chips whose headings name
// no core from arm_data_sheets/chips.csv.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/device_spec.h"

namespace lathe::bench {

struct ArmCore {
  std::string name;  // "Cortex-A73"
  double fp32_macs_per_cycle = 4;
  bool has_fp16 = false, has_dot_product = false;
  double out_of_order = 0;      // 0 in order, 1 out of order, between: narrow windows
  double dram_bytes_per_s = 0;  // that one core sustains
  double last_level_cache_bytes = 0;
};

struct ArmCluster {
  ArmCore core;
  double clock_hz = 0;
  int cores = 0;
};

struct ArmBoard {
  std::vector<ArmCluster> clusters;  // fastest first
  double dram_bytes_per_s = 0;       // all cores
};

// Which cores a run uses: ncnn's `powersave`.
enum class CoreChoice { kAll = 0, kLittle = 1, kBig = 2 };

class ArmDataSheets {
 public:
  ArmDataSheets();
  // A heading that names no core that is known gives a Cortex-A72 board.
  ArmBoard board(const std::string& title) const;

 private:
  struct Chip {
    std::string pattern;
    ArmBoard board;
  };
  const ArmCore* find_core(const std::string& word) const;
  std::vector<ArmCluster> clusters_of(const std::string& title) const;
  const Chip* chip_of(const std::string& title) const;

  std::vector<ArmCore> cores_;
  std::vector<Chip> chips_;
};

// The slowest core of a run: work is dealt to the threads in equal shares, so it decides.
struct ArmRun {
  ArmCluster slowest;
  int threads = 1;
};
ArmRun run_on(const ArmBoard& board, int threads, CoreChoice choice);

hwmodels::DeviceSpec device_of(const ArmBoard& board, const ArmRun& run);

}  // namespace lathe::bench

#include "bench/hardware_truth/sections.h"

namespace lathe::bench {

SectionResult dpu(const DataFolder&) {
  throw MissingData("this comparison is not written yet");
}

}  // namespace lathe::bench

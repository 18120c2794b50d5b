// The activation peak of many candidates of one network: which moments can be the worst is worked out once.
//
// A moment (an operator that runs) whose values are all alive at another moment as well is never the worst one; it is dropped, and lives
// are counted in the moments that are left.
#pragma once

#include <cstdint>
#include <vector>

#include "policies/workload.h"

namespace lathe::hwmodels {

class ActivationSchedule {
 public:
  // lives: as in Workload::values, whose sizes and widths do not matter here.
  ActivationSchedule(int op_count, const std::vector<policies::LiveValue>& lives);

  int moment_count() const { return moments_; }
  // Values whose bytes the peak depends on.
  bool matters(int value) const { return matters_[static_cast<std::size_t>(value)]; }

  // Equals peak_activation_bytes. bytes: of each value (those that do not matter may be anything). change: scratch, moment_count() + 1.
  std::int64_t peak_bytes(const std::int64_t* bytes, std::int64_t* change) const;

 private:
  struct Life {
    std::uint32_t value, first, end;  // moments, the end excluded
  };
  // Two values that share memory at a moment.
  struct Sharing {
    std::uint32_t value, reused, moment;
  };

  int moments_ = 0;
  std::vector<Life> lives_;
  std::vector<Sharing> sharings_;
  std::vector<bool> matters_;
};

}  // namespace lathe::hwmodels

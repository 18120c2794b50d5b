// How many epochs fit a machine that is lent for a time and shared: recovery is tried for a while beside all else that runs there, and what
// it reaches a second says by what the epochs of every stage have to be multiplied. The only clock that steers a training, and no
// training that is to be repeated should use it: give the epochs that it found.
#pragma once

#include <functional>

#include "evaluators/recovery.h"

namespace lathe::bench {

struct LentTime {
  double probe_until = 0, train_until = 0;  // seconds since 1970; train_until 0 = as long as it takes
};

using Progress = std::function<bool(const evaluators::RecoveryProgress&)>;

// `options` with stages whose epochs are those asked for or fewer. recover: runs a recovery, as evaluators::recover() on given data. The
// speed is that of the last stage that trains, from half of the trial on; a trial lasts ten seconds at least.
evaluators::RecoveryOptions fitted(evaluators::RecoveryOptions options, const LentTime& lent,
                                   const std::function<void(const evaluators::RecoveryOptions&, const Progress&)>& recover);

}  // namespace lathe::bench

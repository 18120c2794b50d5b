// Deliveries that a run has finished, kept until all are, so that resuming trains none of them again. What was measured lies in the run's
// store, the ONNX file beside it in `deliveries/`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/delivery.h"
#include "experiments/run_store.h"

namespace lathe::experiments {

class DeliveryStore {
 public:
  // settings: recovery_settings() of the config; deliveries that were made under others are not taken.
  DeliveryStore(RunStore& store, std::string folder, const std::vector<std::string>& settings);

  // The trial's delivery as it is kept, else what `make` gives, kept. Thread-safe for different trials.
  Delivery find_or_make(std::int64_t trial, Recovery recovery, const std::function<Delivery()>& make);
  // What the trainings of the trial's recovery reached, in files, so that one that was cut short is taken up where it was at most
  // `save_interval_s` seconds before.
  evaluators::RecoveryCheckpoints checkpoints(std::int64_t trial, double save_interval_s) const;
  // Drops the files, once their copies in `models/` are written.
  void clear();

 private:
  RunStore& store_;
  std::string folder_;
  std::string settings_hash_;
};

}  // namespace lathe::experiments

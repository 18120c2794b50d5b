// Which policies of a device's Pareto set are worth delivering, and which of the delivered ones is recommended.
#pragma once

#include <cstdint>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

struct DeliveryWish {
  double float_accuracy = 0;    // on the rows that the trials were measured on
  double accuracy_loss = 0.01;  // share that a recommended policy may lose
  double recoverable_loss = 0;  // that training may win back beyond it; 0 = no training
  int count = 1;                // policies a device
};

// Trials of the target's front to deliver. The first is the fastest that loses at most `accuracy_loss` as it is (where none does, the most
// accurate one). Where training may win accuracy back, the others are faster: spread evenly over the front from there to the fastest that
// loses at most `recoverable_loss` more. Without training, and where that stretch is too short, they are its slower neighbours. Empty
// where the front is.
std::vector<std::int64_t> choose_deliveries(const search::Problem& problem, const std::vector<search::Trial>& trials, int target,
                                            const DeliveryWish& wish);

}  // namespace lathe::experiments

// Importance of channels by any criterion, those included that must see the network work on calibration rows:
//
//   activation       how large the values are that the channels carry             activation_importance.h
//   taylor, fisher   what the loss does when a channel is scaled down             gate_importance.h
//   thinet, lasso    what the layers that read the channels can do without        next_layer_selection.h
#pragma once

#include <cstdint>
#include <string>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

struct ImportanceOptions {
  std::int64_t rows = 512;       // at most this many calibration rows
  std::int64_t positions = 100;  // thinet, lasso: of each row's feature map, about, on a regular grid
  std::int64_t batch_size = 64;  // part of the result of taylor, which squares a batch's gradient
  std::int64_t widest = 4608;    // thinet, lasso: layers of more unfolded inputs have no say: their moments would not fit memory
};

// criterion: of policies::pruning_criteria(); `seed` steers `random` alone. calibration: may be null where policies::needs_rows() is false.
policies::Importance channel_importance(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                        const std::string& criterion, std::uint64_t seed, const Rows* calibration,
                                        const ImportanceOptions& options = {});

}  // namespace lathe::evaluators

// How large the values are that a channel carries. P. Molchanov et al., Pruning Convolutional Neural Networks for Resource Efficient
// Inference, ICLR 2017, section 2.2, criterion 'activation' (its mean; after ReLU the mean is the mean magnitude taken here, which also
// serves channels that are negative).
#pragma once

#include "evaluators/dataset.h"
#include "evaluators/pruning_importance.h"
#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

// Mean |x| over rows and positions of each channel, summed over the distinct values through which layers read the group.
policies::Importance activation_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                           const ImportanceOptions& options);

}  // namespace lathe::evaluators

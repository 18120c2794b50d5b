// What the loss does when a channel is scaled down. A gate z = 1 multiplies each output channel of a layer, behind its BatchNormalization
// where it has one; with E_n the cross entropy of row n and a the channel's values at positions p,
//
//   g_n = dE_n / dz = sum over p of a_np dE_n / da_np
//
//   taylor   (mean of g_n over a batch)^2, averaged over batches. P. Molchanov et al., Importance Estimation for Neural Network Pruning,
//            CVPR 2019, section 3 (first order, gates behind BatchNormalization: 'Taylor-FO-BN').
//   fisher   mean of g_n^2 / 2: the second-order term of the loss where the empirical Fisher information stands for the Hessian's diagonal.
//            L. Theis et al., Faster Gaze Prediction with Dense Networks and Fisher Pruning, 2018, section 2 (Fisher pruning of feature
//            maps).
//
// A group's scores are summed over the layers that make its channels. Both use the rows' labels.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "evaluators/dataset.h"
#include "evaluators/pruning_importance.h"
#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

// A layer's gates, and g_n of them for each batch.
struct GateGradients {
  int node = -1;                             // the layer, index into Network::nodes
  models::ValueId value = models::kNoValue;  // that the gates multiply
  std::vector<at::Tensor> batches;           // [rows of the batch, channels] each, double
};

// For each layer, in network order. Deterministic.
std::vector<GateGradients> gate_gradients(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                          std::int64_t batch_size);

policies::Importance taylor_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options);
policies::Importance fisher_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options);

}  // namespace lathe::evaluators

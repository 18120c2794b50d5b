// Layers in two factors (policies/low_rank.h) that answer best to what the network feeds them: factors by the covariance of each layer's
// inputs on calibration rows, and the mean of what is left out given back to the bias. X. Zhang, J. Zou, K. He, J. Sun, Accelerating Very
// Deep Convolutional Networks for Classification and Detection, TPAMI 38, 2016, section 3.1:
//
//   minimize over M of rank r   sum over rows |(y - mean_y) - M (y - mean_y)|^2       U V = M W, b' = b + (W - U V) mean_x
//
// Covariances are those of the float network, worked out once, as in consumer_reconstruction.h; of a pruned network the rows and columns of
// the inputs that stay. Departure from the paper: layers are not fitted one after the other to what factored ones feed them (its asymmetric
// case, section 3.2), which needs a pass over data for each policy.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evaluators/consumer_reconstruction.h"
#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"

namespace lathe::evaluators {

// Thread-safe after construction.
class LowRankFitting {
 public:
  // layers: names of those that may be factored. `network` and `analysis` must outlive it. Of options the ridge plays no part; layers wider
  // than the widest get factors by their weights alone.
  LowRankFitting(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& calibration,
                 const std::vector<std::string>& layers, const ReconstructionOptions& options = {});
  ~LowRankFitting();

  // Whether all that the policy factors may be factored here.
  bool covers(const policies::Policy& policy) const;
  // The network, cut to `kept` before (`pruned`), without the policy's blocks and with its layers in two factors. Where a layer has no
  // bias, the shift of its mean goes to the BatchNormalization after it; where there is none either, moments about zero stand for the
  // covariance.
  models::Network rebuild(const models::Network& pruned, const policies::KeptChannels& kept, const policies::Policy& policy) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::evaluators

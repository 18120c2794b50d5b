// Least-squares reconstruction of a pruned network one layer after the other: each layer gets the weights that best reproduce what it
// computed in the whole network, from the inputs that the pruned one, its earlier layers reconstructed already, gives it. Errors of earlier
// layers are made up for instead of adding up. Source: Y. He, X. Zhang, J. Sun, Channel Pruning for Accelerating Very Deep Neural
// Networks, ICCV 2017, section 3.1, step (ii), and section 3.3 for branches that end in an addition.
//
// With x' what the pruned network feeds a layer on S rows, y what the layer computed in the whole one, W the weight that it starts from:
//
//   minimize over W', b'   E|y - W' x' - b'|^2 + lambda |W' - W|^2      lambda: a share of the mean variance of x'
//
// Where the layer's output, scaled by g in a BatchNormalization, is added to a shortcut that is s in the whole network and s' in the pruned
// one, y + (s - s') / g stands for y, so that the sum is reproduced. Where a relu comes next, outputs that it stops need only be stopped
// again (internal/rectified_least_squares.h). Departures from the paper: the relu is looked behind, all linear layers are solved, not only
// those whose inputs were pruned, and by their covariance on a regular grid of positions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

struct SequentialReconstructionOptions {
  std::int64_t rows = 2048;     // at most this many calibration rows, all at once
  std::int64_t positions = 64;  // of each row's feature map, about, on a regular grid
  double ridge = 1e-3;          // lambda as a share of the mean variance of an input
  std::int64_t widest = 4608;   // layers of more unfolded inputs are left as they are
  int relu_steps = 5;           // least squares again, of layers that a relu follows; 0: as in the formula above
  std::string device = "cpu";   // that runs the rows and sums their products; weights are solved for on the CPU
};

// What the whole network computes on the calibration rows, which policies share: 4 bytes for each row, position and output of a layer, and
// again where it is added to a shortcut (400 MB for ResNet-56 of CIFAR-10 on 512 rows). Thread-safe after construction; on a GPU only where
// the process computes in full precision throughout (compute_device.h), else one call at a time.
class SequentialReconstruction {
 public:
  // `network` and `analysis` must outlive it. Covers what ConsumerReconstruction covers.
  SequentialReconstruction(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& calibration,
                           const SequentialReconstructionOptions& options = {});
  ~SequentialReconstruction();

  // `pruned` is `network` cut to `kept`, its weights perhaps reconstructed already; given back with weights that are solved for. The same
  // for networks that were not cut at all. Deterministic.
  models::Network reconstruct(const policies::KeptChannels& kept, const models::Network& pruned) const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace lathe::evaluators

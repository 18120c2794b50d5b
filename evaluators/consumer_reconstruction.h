// Least-squares reconstruction: after channels are removed, the layers that read them get the weights that best reproduce what they
// computed before. Source: Y. He, X. Zhang, J. Sun, Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017, section 3.1,
// eq. 2, step (ii); AMC prunes with it (Y. He et al., ECCV 2018, section 3.3).
//
// For a layer y = W x + b over unfolded inputs x of covariance C, kept inputs S and removed ones R, the minimizer of
// E|W x + b - W' x_S - b'|^2 is
//
//   W' = W_S + W_R C_RS (C_SS + lambda I)^-1        b' = b + W_R mean_R + (W_S - W') mean_S
//
// lambda holds the weights near what they were where inputs are nearly collinear. C and the mean are those of the float network, worked out
// once, so that a policy costs one Cholesky factorization a layer and no pass over data. Departure from the paper: it takes x_S from the
// network whose earlier layers are pruned already, which needs such a pass for each policy.
#pragma once

#include <cstdint>
#include <memory>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

struct ReconstructionOptions {
  std::int64_t rows = 512;       // at most this many calibration rows
  std::int64_t positions = 100;  // of each row's feature map, about, on a regular grid
  double ridge = 1e-3;           // lambda as a share of the mean variance of an input
  std::int64_t widest = 4608;    // layers of more unfolded inputs are left as they are: their covariance would not fit memory
  std::int64_t batch_size = 64;
};

// What reconstruction needs to know of the network's activations. Thread-safe after construction.
class ConsumerReconstruction {
 public:
  // `network` and `analysis` must outlive it. Covers two-dimensional convolutions of one group, Gemm, and MatMul with a constant second
  // operand, each where its input channels are prunable and its weight is its own; other layers stay as they are.
  ConsumerReconstruction(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& calibration,
                         const ReconstructionOptions& options = {});
  ~ConsumerReconstruction();

  // The network, of unchanged shapes, whose layers make up for what `kept` removes from their inputs: pruning it by `kept` gives W' and b'.
  // Where a layer has no bias, the shift of its mean goes to the BatchNormalization after it; where there is none either, moments about
  // zero stand for the covariance.
  models::Network reconstruct(const policies::KeptChannels& kept) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::evaluators

// Zeros into the weights of a policy's sparse layers: those of smallest magnitude, or so that outputs change least, without labels or
// training (SparseGPT: E. Frantar, D. Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot, ICML 2023, section
// 3 and algorithm 1).
//
// SparseGPT settles one input after the other (internal/settle_inputs.h). Which weights go is decided a block of inputs ahead, when the
// errors of all earlier blocks are in the weights: those of smallest w^2 / U_ii^2 over all outputs of the block, for 2:4 of each four input
// channels, for 4x1 by the sum over the four outputs, whose errors add up since each output is a problem of its own. Departures from the
// paper: inputs are those of the given network for all layers, measured in one pass, and where the layer has a bias or BatchNormalization
// that can take a shift of the mean, H is the covariance of x and the shift goes there, as in weight_rounding.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/policy.h"

namespace lathe::evaluators {

enum class Sparsification { kMagnitude, kSparseGpt };
Sparsification parse_sparsification(const std::string& name);  // "magnitude", "sparsegpt"; throws UserError

struct SparseGptOptions {
  std::int64_t rows = 512;       // at most this many calibration rows
  std::int64_t positions = 100;  // of each row's feature map, about, on a regular grid
  double damping = 0.01;         // lambda as a share of the mean H_ii
  std::int64_t batch_size = 64;
};

// Layers that SparseGPT does not cover (convolutions of several groups, transposed ones, and where H cannot be factorized) are pruned by
// magnitude. Deterministic. Throws UserError as layer_policies does.
models::Network sparsify_by_sparse_gpt(const models::Network& network, const policies::Policy& policy, const Rows& calibration,
                                       const SparseGptOptions& options = {});

// One layer. weight: [outputs, inputs], double. moments: H without lambda, [inputs, inputs], double. order: of the inputs. is_two_of_four:
// each four of consecutive inputs in that order keep two weights an output, the last ones of each `pattern_period` inputs what
// kept_by_pattern says; else `sparsity` of all weights go, evenly from each block of kSparseGptBlock inputs: by themselves, or so many
// consecutive outputs together (by the sum of their scores) as block_outputs says. Undefined where H cannot be factorized.
constexpr std::int64_t kSparseGptBlock = 128;  // the paper's B_s, figure 10
struct SparseTarget {
  double sparsity = 0;
  bool is_two_of_four = false;
  std::int64_t pattern_period = 0;  // input channels
  std::int64_t block_outputs = 1;
};
at::Tensor sparse_gpt(const at::Tensor& weight, const at::Tensor& moments, const at::Tensor& order, const SparseTarget& target,
                      double damping);

}  // namespace lathe::evaluators

// A policy made real on calibration data: prune -> reconstruction of the consumers -> residual blocks out, layers into factors -> zeros in
// sparse weights -> BatchNorm recalibration with the weights as the policy rounds them -> BatchNorm folding -> quantization with calibrated
// ranges. The search measures the physically pruned network with FakeQuantize (equal to masks, and faster); delivery is the same network
// lowered to QuantizeLinear/DequantizeLinear.
#pragma once

#include <cstdint>
#include <string>

#include "evaluators/dataset.h"
#include "evaluators/weight_sparsification.h"
#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"
#include "policies/quantize_network.h"
#include "policies/quantizer.h"

namespace lathe::evaluators {

class ConsumerReconstruction;
class LowRankFitting;
class SequentialReconstruction;

// How weights go to their integers: each to the nearest, by GPTQ (weight_rounding.h) or by AdaRound (adaround.h).
enum class WeightRounding { kNearest, kGptq, kAdaRound };
WeightRounding parse_weight_rounding(const std::string& name);  // "nearest", "gptq", "adaround"; throws UserError

struct CompressionOptions {
  const ConsumerReconstruction* reconstruction = nullptr;  // borrowed, of the network that is compressed; null = weights stay as they are
  const SequentialReconstruction* sequential = nullptr;    // the same; then all layers of the pruned network, one after the other
  const LowRankFitting* low_rank = nullptr;                // the same; null = worked out anew for each policy
  policies::RangeMethod activation_method = policies::RangeMethod::kMse;
  policies::RangeMethod weight_method = policies::RangeMethod::kMse;
  bool equalizes_across_layers = false;  // weights, of networks that are quantized (policies/cross_layer_equalization.h)
  WeightRounding weight_rounding = WeightRounding::kNearest;
  bool corrects_biases = false;  // of quantized networks, layer by layer (bias_correction.h)
  Sparsification sparsification = Sparsification::kMagnitude;
  policies::IntegerTypes integer_types = policies::IntegerTypes::kInt8;  // of the delivered network; what it computes is the same
  // Borrowed: with_calibration_statistics() of the network that is compressed; null = worked out anew for each policy.
  const models::Network* batch_norm_reference = nullptr;
  bool recalibrate_batch_norm = true;  // only where something was pruned or weights are rounded to less than 8 bits
  std::int64_t batch_norm_rows = 512;  // at most this many calibration rows
  std::int64_t range_rows = 128;
  std::int64_t batch_size = 64;
  std::string device = "cpu";  // that runs the calibration rows: "cpu" or "cuda"
};

// The network with the BatchNormalization statistics of the calibration rows in place of those of its training.
models::Network with_calibration_statistics(const models::Network& network, const Rows& calibration,
                                            const CompressionOptions& options = {});

// `analysis` must be of `network`. Throws UserError where the policy names what the network lacks.
// The network without the channels and blocks that the policy leaves out and with the layers that it factors in two, BatchNormalization
// recalibrated and still there.
models::Network cut_channels(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                             const Rows& calibration, const CompressionOptions& options = {});
// A network (whose channels are cut) with zeros in the weights of the policy's sparse layers, BatchNormalization recalibrated.
models::Network sparsify(const models::Network& network, const policies::Policy& policy, const Rows& calibration,
                         const CompressionOptions& options = {});
// Both in a row: the pruned float network.
models::Network compress_float(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
                               const Rows& calibration, const CompressionOptions& options = {});
// The same with statistics that also fit the weights as the policy rounds them (to nearest): what quantize_simulated() takes with
// recalibrate_batch_norm = false, for all policies that differ in their activations alone.
models::Network compress_for_rounding(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                      const policies::Policy& policy, const Rows& calibration, const CompressionOptions& options = {});
// Recalibrates (for weights of less than 8 bits) and folds BatchNormalization of a pruned network and inserts FakeQuantize by the policy
// with ranges calibrated on `calibration`.
models::Network quantize_simulated(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options = {});
// The same for training with statistics of the batch: BatchNormalization stays beside its layer, whose weight is quantized before it, and
// fold_batch_norm() takes it into weights and scales afterwards. Where one scale serves a whole weight that cannot be, so it is folded
// first.
models::Network quantize_trainable(const models::Network& pruned, const policies::Policy& policy, const Rows& calibration,
                                   const CompressionOptions& options = {});
// compress_float and quantize_simulated in a row.
models::Network compress_simulated(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options = {});
models::Network compress_delivered(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                   const policies::Policy& policy, const Dataset& dataset, const CompressionOptions& options = {});

}  // namespace lathe::evaluators

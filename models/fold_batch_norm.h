// Inference-time BatchNormalization written into the weights and bias of the Conv, ConvTranspose or Gemm before it:
// w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
#pragma once

#include "models/network.h"

namespace lathe::models {

// Folds each BatchNormalization whose only input producer is such a layer with no other reader; others stay.
Network fold_batch_norm(const Network& network);

}  // namespace lathe::models

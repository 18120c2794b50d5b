// Quantization scales that are trained together with the weights, and the rules by which they start.
#pragma once

#include <map>

#include "models/executor.h"
#include "models/network.h"

namespace lathe::evaluators::internal {

// LSQ (S. K. Esser et al., Learned Step Size Quantization, ICLR 2020): the scale of every FakeQuantize learns. Its gradient is multiplied
// by 1 / sqrt(N Qp) (section 2.2), N being the weights that share the scale or the elements of one row's activation, Qp the largest level.
// Weights start at 2 <|w|> / sqrt(Qp) (section 2.1), but at no more than max|w| / Qp, from where on a larger step only costs resolution: at
// 8 bits the paper's rule reaches four times as far as any weight. Departure: activations start where calibration put them, as in LSQ+ (Y.
// Bhalgat et al., 2020, section 3.2), not at 2 <|x|> / sqrt(Qp) of the first batch; zero points stay, so that zero remains exact.
models::Network with_lsq_scales(models::Network network);

// PACT (J. Choi et al., 2018): activations that cannot be negative learn where they are clipped, alpha = Qp scale. The gradient of the
// scale is multiplied by 1 / Qp^2, so that alpha takes the step that gradient descent on alpha would. Departure: no L2 penalty on alpha,
// which starts where calibration put it rather than at 10 and has no way to come down.
models::Network with_pact_scales(models::Network network);

// LSQ+ (Y. Bhalgat et al., 2020): as LSQ, and the offset of every activation that can be negative learns (section 3.1; weights stay
// symmetric). Weights start at max(|mean - 3 deviation|, |mean + 3 deviation|) / 2^(b-1) (section 3.2), by channel; activations, scale and
// offset, where calibration put them, by default the least squared error, as there. The gradient of an offset is multiplied by the same
// constant as that of its scale. Departure: where zero is the least level, as behind ReLU, there is nothing below that an offset could
// reach, and only the scale learns.
models::Network with_lsq_plus_scales(models::Network network);

// The same network with scales, and zero points where an offset was learned, that are constants again.
models::Network with_fixed_scales(models::Network network);

// By what AdamW's steps on each learned scale are multiplied. AdamW moves every parameter by about the learning rate, whatever its gradient:
// 1e-4 is little for a weight of 0.04 and much for a scale of 0.004. A scale moves by five learning rates of what it starts from, an offset
// by five of the range.
std::map<models::ValueId, double> scale_step_factors(const models::Network& network);

// To be called after each step: an update may not make a scale zero or negative, nor take 0 out of the range that an offset leaves.
void keep_scales_legal(const models::Executor& executor);

}  // namespace lathe::evaluators::internal

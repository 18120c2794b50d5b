// Quantization scales that are trained together with the weights, and the rules by which they start.
#pragma once

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

// The same network with scales that are constants again.
models::Network with_fixed_scales(models::Network network);

// To be called after each step: an update may not make a scale zero or negative.
void keep_scales_positive(const models::Executor& executor);

}  // namespace lathe::evaluators::internal

// Twin delayed DDPG: S. Fujimoto, H. van Hoof, D. Meger, Addressing Function Approximation Error in Actor-Critic Methods, ICML 2018,
// algorithm 1.
#pragma once

#include <memory>

#include "search/rl/learner.h"

namespace at {
class Tensor;
}

namespace lathe::search {

std::unique_ptr<Learner> make_td3_learner(int state_size, const LearnerOptions& options, Rng rng);

// Target policy smoothing: a' = clip(mu'(s') + clip(deviation * noise, -c, c), 0, 1). Deviation 0.1 and c = 0.25 are the paper's 0.2 and
// 0.5 on actions in [0, 1] instead of [-1, 1]. actions, noise (standard normal): [count, 1].
at::Tensor smoothed_actions(const at::Tensor& actions, const at::Tensor& noise);

}  // namespace lathe::search

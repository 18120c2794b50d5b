// Deep deterministic policy gradient: T. P. Lillicrap et al., Continuous Control with Deep Reinforcement Learning, ICLR 2016, algorithm 1.
#pragma once

#include <memory>

#include "search/rl/learner.h"

namespace lathe::search {

std::unique_ptr<Learner> make_ddpg_learner(int state_size, const LearnerOptions& options, Rng rng);

}  // namespace lathe::search

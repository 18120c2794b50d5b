// What every learner has to keep, run on each.
#include "search/rl/learner.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/base/error.h"
#include "search/rl/ddpg_learner.h"
#include "search/rl/sac_learner.h"
#include "search/rl/td3_learner.h"

namespace lathe::search {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Learner> (*make)(int state_size, const LearnerOptions& options, Rng rng);
};

class EachLearner : public testing::TestWithParam<Kind> {
 protected:
  static std::unique_ptr<Learner> make(int state_size, const LearnerOptions& options) {
    return GetParam().make(state_size, options, Rng(1, "weights"));
  }
};

// One-step episodes with reward -10 (a - target(s))^2: the actor must find the target of each state from random actions alone.
TEST_P(EachLearner, LearnsTheBestActionOfEachState) {
  const std::unique_ptr<Learner> learner = make(2, {.hidden = 32});
  Rng rng(2, "data");
  const auto target = [](float s) { return 0.5F + 0.35F * s; };
  for (int step = 0; step < 2000; ++step) {
    Batch batch;
    for (int i = 0; i < 64; ++i) {
      const auto s = static_cast<float>(rng.uniform(-1, 1)), a = static_cast<float>(rng.uniform());
      batch.states.insert(batch.states.end(), {s, 1});
      batch.next_states.insert(batch.next_states.end(), {s, 1});
      batch.actions.push_back(a);
      batch.rewards.push_back(-10 * (a - target(s)) * (a - target(s)));
      batch.is_final.push_back(1);
    }
    learner->train(batch);
  }
  double error = 0;
  for (const float s : {-0.9F, -0.45F, 0.0F, 0.45F, 0.9F}) error += std::abs(learner->act(std::vector<float>{s, 1}) - target(s)) / 5;
  EXPECT_LT(error, 0.06);  // a constant actor would be off by 0.19
}

// Two steps, the reward depends on the first action alone: it must be learnt through the second state's value.
TEST_P(EachLearner, PropagatesTheRewardToEarlierSteps) {
  const std::unique_ptr<Learner> learner = make(2, {.hidden = 32, .monte_carlo = 0});
  Rng rng(3, "data");
  for (int step = 0; step < 3000; ++step) {
    Batch batch;
    for (int i = 0; i < 64; ++i) {
      const auto a = static_cast<float>(rng.uniform());
      const float reward = -10 * (a - 0.7F) * (a - 0.7F);
      const bool is_first = i % 2 == 0;  // the second state remembers the first action
      batch.states.insert(batch.states.end(), {is_first ? 0.5F : a, is_first ? 0.0F : 1.0F});
      batch.next_states.insert(batch.next_states.end(), {a, 1.0F});
      batch.actions.push_back(is_first ? a : static_cast<float>(rng.uniform()));
      batch.rewards.push_back(is_first ? 1000 : reward);  // without Monte Carlo the reward of a step that is not final is not read
      batch.is_final.push_back(is_first ? 0 : 1);
    }
    learner->train(batch);
  }
  EXPECT_NEAR(learner->act(std::vector<float>{0.5F, 0.0F}), 0.7, 0.1);
}

TEST_P(EachLearner, ExploresWithinTheActionsAroundItsOwn) {
  const std::unique_ptr<Learner> learner = make(2, {});
  Rng rng(5, "explore");
  const std::vector<float> state{0.3F, 1};
  double mean = 0, squares = 0;
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) {
    const double action = learner->explore(state, /*deviation=*/0.2, rng);
    EXPECT_GE(action, 0);
    EXPECT_LE(action, 1);
    mean += action / kDraws;
    squares += action * action / kDraws;
  }
  EXPECT_NEAR(mean, learner->act(state), 0.05);  // untrained: both near 0.5; standard error 0.01
  EXPECT_GT(squares - mean * mean, 0.01);
}

TEST_P(EachLearner, IsDeterministic) {
  const auto trained = [] {
    const std::unique_ptr<Learner> learner = make(3, {});
    const Batch batch{{1, 2, 3, 4, 5, 6}, {4, 5, 6, 4, 5, 6}, {0.2F, 0.7F}, {1, -1}, {0, 1}};
    for (int i = 0; i < 20; ++i) learner->train(batch);
    return learner->act(std::vector<float>{1, 2, 3});
  };
  EXPECT_EQ(trained(), trained());
}

// What was saved, put into a learner of other weights, acts and learns on as the one that was saved (but for Adam, which starts anew).
TEST_P(EachLearner, IsRestoredFromItsSavedNetworks) {
  const Batch batch{{1, 2, 3, 4, 5, 6}, {4, 5, 6, 4, 5, 6}, {0.2F, 0.7F}, {1, -1}, {0, 1}};
  const std::vector<float> state{1, 2, 3};
  const std::unique_ptr<Learner> taught = make(3, {}), other = GetParam().make(3, {}, Rng(9, "other weights"));
  for (int i = 0; i < 20; ++i) taught->train(batch);
  ASSERT_NE(taught->act(state), other->act(state));
  const std::string saved = save_networks({.kind = "some kind", .trials = 7}, taught->tensors());
  EXPECT_EQ(restore_networks(saved, "some kind", other->tensors()).trials, 7);
  EXPECT_EQ(taught->act(state), other->act(state));
  EXPECT_EQ(save_networks({.kind = "some kind", .trials = 7}, other->tensors()), saved);
  for (int i = 0; i < 20; ++i) other->train(batch);
  EXPECT_TRUE(std::isfinite(other->act(state)));
}

TEST_P(EachLearner, RefusesNetworksOfAnotherShape) {
  const std::string saved = save_networks({.kind = "some kind"}, make(3, {.hidden = 8})->tensors());
  try {
    restore_networks(saved, "some kind", make(3, {.hidden = 16})->tensors());
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("hidden"), std::string::npos) << error.what();
  }
}

TEST(SavedNetworks, RefuseOtherKindsAndOtherBytes) {
  const std::unique_ptr<Learner> learner = make_td3_learner(1, {.hidden = 4}, Rng(1, "weights"));
  const std::string saved = save_networks({.kind = "td3"}, learner->tensors());
  for (const std::string& bytes : {std::string("nothing"), std::string(), saved.substr(0, saved.size() / 2)})
    EXPECT_THROW(restore_networks(bytes, "td3", learner->tensors()), UserError);
  try {
    restore_networks(saved, "sac", learner->tensors());
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("td3"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Learners, EachLearner,
                         testing::Values(Kind{"ddpg", make_ddpg_learner}, Kind{"td3", make_td3_learner}, Kind{"sac", make_sac_learner}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lathe::search

// The shared cache: what was measured comes back to the last row, in other processes too, and a line that was cut short does not.
#include "evaluators/evaluation_cache.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "evaluators/evaluation_json.h"
#include "models/base/sha256.h"

namespace lathe::evaluators {
namespace {

namespace fs = std::filesystem;

class EvaluationCacheTest : public testing::Test {
 protected:
  EvaluationCacheTest() : folder_(fs::temp_directory_path() / ("lathe_cache_" + std::to_string(getpid()))) {}
  ~EvaluationCacheTest() override { fs::remove_all(folder_); }
  fs::path folder_;
};

Evaluation make_evaluation() {
  return {.accuracy = 1.0 / 3,
          .interval = {0.1, 0.7},
          .samples = 9,
          .correct = {1, 0, 0, 1, 1, 0, 0, 0, 0},
          .expected_probability = 2.0 / 7,
          .seconds = 0.25};
}

void expect_same(const Evaluation& a, const Evaluation& b) {
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_EQ(a.interval, b.interval);
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.correct, b.correct);
  EXPECT_EQ(a.expected_probability, b.expected_probability);
  EXPECT_EQ(a.seconds, b.seconds);
}

TEST_F(EvaluationCacheTest, GivesBackWhatWasMeasured) {
  EvaluationCache cache(folder_);
  EXPECT_FALSE(cache.find(sha256("a")));
  cache.add(sha256("a"), make_evaluation());
  ASSERT_TRUE(cache.find(sha256("a")));
  expect_same(*cache.find(sha256("a")), make_evaluation());
  EvaluationCache other(folder_);
  ASSERT_TRUE(other.find(sha256("a")));
  expect_same(*other.find(sha256("a")), make_evaluation());
}

TEST(EvaluationJson, ReadsTheFormOfOlderRunStores) {
  const Evaluation evaluation = evaluation_of(
      nlohmann::json::parse(R"({"is_ok": true, "error": "", "accuracy": 0.5, "interval": [0.1, 0.9], "samples": 4, "correct": "0110"})"));
  EXPECT_TRUE(evaluation.is_ok);
  EXPECT_EQ(evaluation.accuracy, 0.5);
  EXPECT_EQ(evaluation.correct, (std::vector<std::uint8_t>{0, 1, 1, 0}));
  EXPECT_TRUE(std::isnan(evaluation.expected_probability));
  EXPECT_EQ(evaluation_of(nlohmann::json::parse(R"({"is_ok": false, "error": "why", "accuracy": 0, "interval": [0, 0], "samples": 0,
                                                    "correct": ""})"))
                .error,
            "why");
}

TEST_F(EvaluationCacheTest, LineThatWasCutShortOrAlteredIsPassedOver) {
  {
    EvaluationCache cache(folder_);
    for (const char* key : {"a", "b", "c"}) cache.add(sha256(key), make_evaluation());
  }
  const fs::path file = fs::directory_iterator(folder_)->path();
  std::string text;
  std::getline(std::ifstream(file), text, '\0');
  text[text.find("0.333")] = '9';                           // of a
  std::ofstream(file) << text.substr(0, text.size() - 30);  // of c
  EvaluationCache cache(folder_);
  EXPECT_FALSE(cache.find(sha256("a")));
  EXPECT_TRUE(cache.find(sha256("b")));
  EXPECT_FALSE(cache.find(sha256("c")));
}

TEST_F(EvaluationCacheTest, FolderThatCannotBeWrittenToEndsNothing) {
  EvaluationCache cache("/proc/nothing/here");
  cache.add(sha256("a"), make_evaluation());
  EXPECT_TRUE(cache.find(sha256("a")));
}

class CountingEvaluator final : public Evaluator {
 public:
  explicit CountingEvaluator(int& asked) : asked_(asked) {}
  Evaluation evaluate(const EvaluationRequest& request) const override {
    ++asked_;
    if (request.policy.layers.empty()) return {.is_ok = false, .error = "nothing to do"};
    return make_evaluation();
  }

 private:
  int& asked_;
};

TEST_F(EvaluationCacheTest, AsksOnceForEachPolicySplitRowsAndContext) {
  int asked = 0;
  const auto make = [&](const char* context) { return CachedEvaluator(std::make_unique<CountingEvaluator>(asked), folder_, context); };
  const CachedEvaluator first = make("network 1"), same = make("network 1"), other = make("network 2");
  EvaluationRequest request;
  request.policy.layers.push_back({.name = "conv", .weight_bits = 4});
  expect_same(first.evaluate(request), make_evaluation());
  first.evaluate(request);
  EXPECT_EQ(asked, 1);
  same.evaluate(request);
  EXPECT_EQ(asked, 1);
  other.evaluate(request);
  EXPECT_EQ(asked, 2);
  request.rows = 10;
  first.evaluate(request);
  request.split = Split::kTest;
  first.evaluate(request);
  request.policy.layers[0].weight_bits = 8;
  first.evaluate(request);
  EXPECT_EQ(asked, 5);
}

TEST_F(EvaluationCacheTest, OneMeasuresWhatManyWantAtOnce) {
  // Each loop has a cache of its own, as processes have.
  constexpr int kLoops = 2, kKeys = 50;
  std::vector<std::unique_ptr<EvaluationCache>> caches;
  for (int i = 0; i < kLoops; ++i) caches.push_back(std::make_unique<EvaluationCache>(folder_));
  std::atomic<int> measured = 0;
  oneapi::tbb::task_arena arena(kLoops);
  arena.execute([&] {
    oneapi::tbb::parallel_for(0, kLoops, [&](int loop) {
      for (int k = 0; k < kKeys; ++k) {
        const Evaluation evaluation = caches[static_cast<std::size_t>(loop)]->find_or_measure(sha256(std::to_string(k)), [&] {
          ++measured;
          return make_evaluation();
        });
        expect_same(evaluation, make_evaluation());
      }
    });
  });
  EXPECT_EQ(measured, kKeys);
}

TEST_F(EvaluationCacheTest, FailuresAreAskedAgain) {
  int asked = 0;
  const CachedEvaluator cached(std::make_unique<CountingEvaluator>(asked), folder_, "");
  EXPECT_FALSE(cached.evaluate({}).is_ok);
  EXPECT_FALSE(cached.evaluate({}).is_ok);
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace lathe::evaluators

// What a network predicts for rows of a data set, and how often that is right. The network's first output holds the logits
// [n, classes] (trailing extents of 1 are dropped); the prediction is the arg max, ties to the lower class.
#pragma once

#include <cstdint>
#include <vector>

#include "evaluators/dataset.h"
#include "models/executor.h"

namespace lathe::evaluators {

struct AccuracyOptions {
  std::int64_t batch_size = 128;
  std::int64_t rows = 0;  // the first `rows`; 0 = all
  // answer() stops after the first batch at which the share of expected classes is sure to stay below this: three standard errors, looked at
  // each time the rows have doubled, so that the many looks stay few. 0 = never.
  double bar = 0;
};

// One class a row. Throws std::runtime_error where a logit is not finite. Single-threaded in LibTorch; thread-safe.
std::vector<std::int64_t> predict(const models::Executor& executor, const Rows& rows, const AccuracyOptions& options = {});

struct Answers {
  std::vector<std::int64_t> predictions;  // as predict() gives them; fewer where it stopped at the bar
  double expected_probability = 0;        // mean over the rows of the softmax of the logits at the expected class
};
// expected: a class for each row, in the range of the logits; may be longer than the rows that are run. Throws as predict().
Answers answer(const models::Executor& executor, const Rows& rows, const std::vector<std::int64_t>& expected,
               const AccuracyOptions& options = {});

// 1 where prediction i equals expected i. `expected` may be longer.
std::vector<std::uint8_t> matches(const std::vector<std::int64_t>& predictions, const std::vector<std::int64_t>& expected);

// The labels of the rows as a vector. Throws UserError where they are objects.
std::vector<std::int64_t> labels_of(const Rows& rows);

// Share of correct rows in [0, 1].
double accuracy(const models::Network& network, const Rows& rows, const AccuracyOptions& options = {});

}  // namespace lathe::evaluators

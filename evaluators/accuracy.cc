#include "evaluators/accuracy.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "evaluators/evaluator.h"
#include "evaluators/internal/network_rows.h"
#include "models/base/check.h"
#include "models/base/error.h"

namespace lathe::evaluators {

namespace {

// Looks at the rows so far each time that they have doubled.
class Race {
 public:
  explicit Race(double bar) : bar_(bar) {}
  bool is_lost(const std::vector<std::int64_t>& predictions, const std::vector<std::int64_t>& expected) {
    const auto rows = static_cast<std::int64_t>(predictions.size());
    if (bar_ <= 0 || rows < next_look_) return false;
    next_look_ = 2 * rows;
    const std::vector<std::uint8_t> correct = matches(predictions, expected);
    return wilson_interval(std::count(correct.begin(), correct.end(), 1), rows, kSure).second < bar_;
  }

 private:
  static constexpr double kSure = 3;             // standard errors
  static constexpr std::int64_t kFirstLook = 200;  // fewer rows say little
  double bar_;
  std::int64_t next_look_ = kFirstLook;
};

void append_classes(const at::Tensor& logits, std::vector<std::int64_t>& predictions) {
  const at::Tensor classes = at::argmax(logits, 1).contiguous();
  const auto* data = classes.data_ptr<std::int64_t>();
  predictions.insert(predictions.end(), data, data + classes.numel());
}

}  // namespace

std::vector<std::int64_t> predict(const models::Executor& executor, const Rows& rows, const AccuracyOptions& options) {
  std::vector<std::int64_t> predictions;
  internal::for_each_output(executor, rows, options.rows, options.batch_size, [&](std::int64_t, const at::Tensor& output) {
    append_classes(internal::logits_of({output}), predictions);
    return true;
  });
  return predictions;
}

Answers answer(const models::Executor& executor, const Rows& rows, const std::vector<std::int64_t>& expected,
               const AccuracyOptions& options) {
  Answers answers;
  Race race(options.bar);
  double sum = 0;
  internal::for_each_output(executor, rows, options.rows, options.batch_size, [&](std::int64_t begin, const at::Tensor& output) {
    const at::Tensor logits = internal::logits_of({output});
    append_classes(logits, answers.predictions);
    LATHE_CHECK_LE(begin + logits.size(0), static_cast<std::int64_t>(expected.size()));
    const at::Tensor wanted = at::tensor(at::ArrayRef<std::int64_t>(expected.data() + begin, static_cast<std::size_t>(logits.size(0))));
    sum += at::softmax(logits, 1, at::kDouble).gather(1, wanted.unsqueeze(1)).sum().item().toDouble();
    return !race.is_lost(answers.predictions, expected);
  });
  answers.expected_probability = sum / static_cast<double>(answers.predictions.size());
  return answers;
}

std::vector<std::uint8_t> matches(const std::vector<std::int64_t>& predictions, const std::vector<std::int64_t>& expected) {
  LATHE_CHECK_LE(predictions.size(), expected.size());
  std::vector<std::uint8_t> result(predictions.size());
  for (std::size_t i = 0; i < predictions.size(); ++i) result[i] = predictions[i] == expected[i] ? 1 : 0;
  return result;
}

std::vector<std::int64_t> labels_of(const Rows& rows) {
  if (are_objects(rows.labels)) throw UserError("expected rows that are labelled with classes, got rows with objects");
  const at::Tensor labels = rows.labels.contiguous();
  const auto* data = labels.data_ptr<std::int64_t>();
  return {data, data + labels.numel()};
}

double accuracy(const models::Network& network, const Rows& rows, const AccuracyOptions& options) {
  LATHE_CHECK_GT(rows.size(), 0);
  const auto correct = matches(predict(models::Executor(network), rows, options), labels_of(rows));
  return static_cast<double>(std::count(correct.begin(), correct.end(), 1)) / static_cast<double>(correct.size());
}

}  // namespace lathe::evaluators

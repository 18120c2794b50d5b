#include "evaluators/detection_head.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "evaluators/internal/network_rows.h"
#include "models/base/check.h"

namespace lathe::evaluators {
namespace {

constexpr double kAnchor = 4;  // side of the box in strides at logits of 0

std::vector<LabelledBox> objects_of(const at::Tensor& row) {
  const auto values = row.accessor<float, 2>();
  std::vector<LabelledBox> objects;
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    if (values[i][0] < 0) continue;
    objects.push_back({.cls = static_cast<int>(values[i][0]), .box = {values[i][1], values[i][2], values[i][3], values[i][4]}});
  }
  return objects;
}

// All classes of all cells of one image whose score is high enough. boxes: [cells, 4] in pixels; scores: [cells, classes].
std::vector<Detection> candidates(const at::Tensor& boxes, const at::Tensor& scores, double score_threshold) {
  const auto box = boxes.accessor<float, 2>();
  const auto score = scores.accessor<float, 2>();
  std::vector<Detection> result;
  for (std::int64_t cell = 0; cell < score.size(0); ++cell) {
    for (std::int64_t cls = 0; cls < score.size(1); ++cls) {
      if (score[cell][cls] < score_threshold) continue;
      result.push_back(
          {.cls = static_cast<int>(cls), .score = score[cell][cls], .box = {box[cell][0], box[cell][1], box[cell][2], box[cell][3]}});
    }
  }
  return result;
}

}  // namespace

int detection_classes(const models::Shape& output) {
  return output.size() == 4 && output[1] > kBoxChannels ? static_cast<int>(output[1] - kBoxChannels) : 0;
}

at::Tensor boxes_in_strides(const at::Tensor& logits, const at::Tensor& column, const at::Tensor& row) {
  const at::Tensor doubled = at::sigmoid(logits.narrow(-1, 0, 4)).mul(2);
  const at::Tensor centre = doubled.narrow(-1, 0, 2).sub(0.5).add(at::stack({column, row}, -1));
  return at::cat({centre, doubled.narrow(-1, 2, 2).square().mul(kAnchor)}, -1);
}

std::vector<std::vector<Detection>> decode(const at::Tensor& head, double stride, const DetectionOptions& options) {
  const std::int64_t images = head.size(0), width = head.size(3), cells = head.size(2) * width;
  const at::Tensor by_cell = head.to(at::kFloat).flatten(2).transpose(1, 2);  // [n, cells, 5 + classes]
  const at::Tensor cell = at::arange(cells, at::TensorOptions().dtype(at::kFloat));
  const at::Tensor row = cell.div(static_cast<double>(width), "floor"), column = cell.sub(row, static_cast<double>(width));
  std::vector<std::vector<Detection>> result;
  for (std::int64_t i = 0; i < images; ++i) {
    const at::Tensor logits = by_cell[i];
    const at::Tensor boxes = boxes_in_strides(logits, column, row).mul(stride).contiguous();
    const at::Tensor probabilities = at::sigmoid(logits.narrow(1, 4, logits.size(1) - 4));
    const at::Tensor scores = probabilities.narrow(1, 0, 1).mul(probabilities.narrow(1, 1, probabilities.size(1) - 1)).contiguous();
    result.push_back(non_maximum_suppression(candidates(boxes, scores, options.score_threshold), options.suppression_iou));
  }
  return result;
}

DetectionOutcome detect(const models::Executor& executor, const Rows& rows, PrecisionMetric metric, const DetectionOptions& options) {
  DetectionOutcome outcome{.metric = metric};
  const double width = static_cast<double>(rows.inputs.at(0).size(3));
  internal::for_each_output(executor, rows, options.rows, options.batch_size, [&](std::int64_t begin, const at::Tensor& head) {
    outcome.classes = static_cast<int>(head.size(1) - kBoxChannels);
    const auto detections = decode(head, width / static_cast<double>(head.size(3)), options);
    for (std::size_t i = 0; i < detections.size(); ++i)
      outcome.add_image(detections[i], objects_of(rows.labels[begin + static_cast<std::int64_t>(i)]));
    return true;
  });
  return outcome;
}

}  // namespace lathe::evaluators

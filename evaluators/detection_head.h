// What a detector's output means: one grid of cells, one anchor, after YOLOv5 (G. Jocher, 2020; models/yolo.py, class Detect). The
// network's first output is [n, 5 + classes, grid_h, grid_w], raw: x, y, w, h, objectness, a logit a class. With stride s (pixels of the
// image a cell) and cell (i, j), in pixels,
//     cx = (2 sigmoid(x) - 0.5 + i) s    cy = (2 sigmoid(y) - 0.5 + j) s    w = 4 s (2 sigmoid(w))^2    h = 4 s (2 sigmoid(h))^2
// so that sizes go up to 16 strides and a cell reaches half a cell beyond its borders. Score of a class: sigmoid(objectness)
// sigmoid(logit). Decoding and suppression are the evaluator's, not the network's: latencies are without them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "evaluators/average_precision.h"
#include "evaluators/dataset.h"
#include "models/executor.h"

namespace lathe::evaluators {

constexpr std::int64_t kBoxChannels = 5;  // x, y, w, h, objectness; classes follow

// Classes of an output of that shape, 0 where it is no detector's.
int detection_classes(const models::Shape& output);

// [m, 4]: cx, cy, w, h in strides, from logits and the cells' columns and rows [m]. Differentiable.
at::Tensor boxes_in_strides(const at::Tensor& logits, const at::Tensor& column, const at::Tensor& row);

struct DetectionOptions {
  double score_threshold = 0.01;  // detections below are not looked at
  double suppression_iou = 0.6;   // see non_maximum_suppression()
  std::int64_t batch_size = 128;
  std::int64_t rows = 0;  // the first `rows`; 0 = all
};

// One list an image, after suppression. head: see above, on the CPU, finite; stride in pixels.
std::vector<std::vector<Detection>> decode(const at::Tensor& head, double stride, const DetectionOptions& options = {});

// The network's detections on rows with objects, matched with these. Throws std::runtime_error where an output is not finite.
// Single-threaded in LibTorch; thread-safe.
DetectionOutcome detect(const models::Executor& executor, const Rows& rows, PrecisionMetric metric, const DetectionOptions& options = {});

}  // namespace lathe::evaluators

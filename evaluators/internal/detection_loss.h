// The loss of a detector's head (see detection_head.h). Each object is the matter of the cell that holds its centre and of the two
// neighbours next to it, beside and above or below (YOLOv5, utils/loss.py, build_targets); these cells pay for their boxes by complete IoU
// (Z. Zheng et al., Distance-IoU Loss, AAAI 2020, eq. 10 and 11) and for their classes by binary cross-entropy. All cells pay for their
// objectness, whose target is the IoU of the cell's box with its object, 0 elsewhere.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lathe::evaluators::internal {

// 1 - IoU + rho^2 / c^2 + alpha v, of boxes [..., 4] (cx, cy, w, h); alpha is taken as a constant. Also gives the IoU.
struct BoxLoss {
  at::Tensor loss, iou;  // [...]
};
BoxLoss complete_iou_loss(const at::Tensor& boxes, const at::Tensor& targets);

// head: [n, 5 + classes, h, w]; objects: [n, m, 5], see Rows::labels; image_width in pixels. Sums over the cells of a row, mean over rows.
at::Tensor detection_loss(const at::Tensor& head, const at::Tensor& objects, std::int64_t image_width, double smoothing);

// Against the teacher's head: objectness of every cell, and classes and box where the teacher sees an object, by its objectness (R. Mehta,
// C. Ozturk, Object Detection at 200 Frames per Second, 2018, section 3.3), with the entropy of the targets taken off.
at::Tensor soft_detection_loss(const at::Tensor& head, const at::Tensor& teacher_head);

}  // namespace lathe::evaluators::internal

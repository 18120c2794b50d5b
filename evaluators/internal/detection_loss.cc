#include "evaluators/internal/detection_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/atan.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/where.h>

#include <numbers>

#include "evaluators/detection_head.h"

namespace lathe::evaluators::internal {
namespace {

constexpr double kBoxWeight = 5;  // of the boxes' loss, as in YOLOX (Z. Ge et al., 2021)
constexpr double kTiny = 1e-7;    // keeps quotients finite
constexpr std::int64_t kObjectness = 4;

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  return at::binary_cross_entropy_with_logits(logits, targets, {}, {}, at::Reduction::None);
}

// [n, 5 + classes, h, w] -> [n, cells, 5 + classes].
at::Tensor by_cell(const at::Tensor& head) {
  return head.flatten(2).transpose(1, 2);
}

// Which cells answer for which object: three candidates an object, on fixed places so that nothing has to be counted.
struct Assignment {
  at::Tensor column, row;  // [n, 3 m], float; some place inside the grid where the candidate is not used
  at::Tensor is_used;      // [n, 3 m], 0 or 1
  at::Tensor object;       // [n, 3 m, 5]: class, cx, cy, w, h in strides
};

Assignment assign(const at::Tensor& objects, double stride, std::int64_t height, std::int64_t width) {
  const at::Tensor cls = objects.narrow(2, 0, 1), box = objects.narrow(2, 1, 4) / stride;
  const at::Tensor x = box.select(2, 0), y = box.select(2, 1);
  const double last_column = static_cast<double>(width - 1), last_row = static_cast<double>(height - 1);
  const at::Tensor column = x.floor().clamp(0, last_column), row = y.floor().clamp(0, last_row);
  // Towards the border that is nearer to the centre: -1 or 1, 0 in the middle.
  const at::Tensor beside = column + at::sign(x - column - 0.5), above = row + at::sign(y - row - 0.5);
  const at::Tensor is_object = cls.select(2, 0).ge(0);
  const auto is_neighbour = [&](const at::Tensor& at, const at::Tensor& centre, double last) {
    return at.ne(centre).logical_and(at.ge(0)).logical_and(at.le(last)).logical_and(is_object);
  };
  const at::Tensor object = at::cat({cls, box}, 2);
  return {
      .column = at::cat({column, beside.clamp(0, last_column), column}, 1),
      .row = at::cat({row, row, above.clamp(0, last_row)}, 1),
      .is_used =
          at::cat({is_object, is_neighbour(beside, column, last_column), is_neighbour(above, row, last_row)}, 1).to(objects.scalar_type()),
      .object = at::cat({object, object, object}, 1)};
}

// [n, candidates] -> [n, cells]: the highest of the values that belong to a cell, 0 where none does. All pairs, as there are few.
at::Tensor highest_by_cell(const at::Tensor& values, const at::Tensor& cell, std::int64_t cells) {
  const at::Tensor is_here = cell.unsqueeze(1).eq(at::arange(cells, cell.options()).unsqueeze(1));
  return (values.unsqueeze(1) * is_here).amax(2);
}

}  // namespace

BoxLoss complete_iou_loss(const at::Tensor& boxes, const at::Tensor& targets) {
  const auto part = [](const at::Tensor& box, std::int64_t i) { return box.select(-1, i); };
  const auto span = [&](std::int64_t centre, std::int64_t size, bool is_union) {
    const at::Tensor low_a = part(boxes, centre) - part(boxes, size) / 2, low_b = part(targets, centre) - part(targets, size) / 2;
    const at::Tensor high_a = part(boxes, centre) + part(boxes, size) / 2, high_b = part(targets, centre) + part(targets, size) / 2;
    return is_union ? at::maximum(high_a, high_b) - at::minimum(low_a, low_b)
                    : (at::minimum(high_a, high_b) - at::maximum(low_a, low_b)).clamp_min(0);
  };
  const at::Tensor both = span(0, 2, /*is_union=*/false) * span(1, 3, /*is_union=*/false);
  const at::Tensor area = part(boxes, 2) * part(boxes, 3), target_area = part(targets, 2) * part(targets, 3);
  const at::Tensor iou = both / (area + target_area - both + kTiny);
  const at::Tensor diagonal = span(0, 2, /*is_union=*/true).square() + span(1, 3, /*is_union=*/true).square() + kTiny;
  const at::Tensor distance = (part(boxes, 0) - part(targets, 0)).square() + (part(boxes, 1) - part(targets, 1)).square();
  const auto angle = [&](const at::Tensor& box) { return at::atan(part(box, 2) / (part(box, 3) + kTiny)); };
  const at::Tensor v = (angle(targets) - angle(boxes)).square() * (4 / (std::numbers::pi * std::numbers::pi));
  const at::Tensor alpha = (v / (1 - iou + v + kTiny)).detach();
  return {.loss = 1 - iou + distance / diagonal + alpha * v, .iou = iou.detach()};
}

at::Tensor detection_loss(const at::Tensor& head, const at::Tensor& objects, std::int64_t image_width, double smoothing) {
  const std::int64_t height = head.size(2), width = head.size(3), channels = head.size(1);
  const Assignment assigned = assign(objects, static_cast<double>(image_width) / static_cast<double>(width), height, width);
  const at::Tensor all = by_cell(head);
  const at::Tensor cell = (assigned.row * static_cast<double>(width) + assigned.column).to(at::kLong);
  const at::Tensor logits = all.gather(1, cell.unsqueeze(2).expand({-1, -1, channels}));  // [n, 3 m, 5 + classes]
  // Where there is no object the target is any box, so that nothing is divided by zero.
  const at::Tensor target =
      at::where(assigned.is_used.unsqueeze(2).gt(0), assigned.object.narrow(2, 1, 4), at::full_like(assigned.object.narrow(2, 1, 4), 1.0));
  const BoxLoss box = complete_iou_loss(boxes_in_strides(logits, assigned.column, assigned.row), target);
  const at::Tensor cls = at::arange(channels - kBoxChannels, assigned.object.options());
  const at::Tensor is_class = assigned.object.narrow(2, 0, 1).eq(cls).to(head.scalar_type());
  const at::Tensor class_loss =
      cross_entropy(logits.narrow(2, kBoxChannels, channels - kBoxChannels), is_class * (1 - smoothing) + smoothing / 2).sum(2);
  const at::Tensor objectness = highest_by_cell(box.iou * assigned.is_used, cell, all.size(1));
  const at::Tensor sum =
      ((box.loss * kBoxWeight + class_loss) * assigned.is_used).sum() + cross_entropy(all.select(2, kObjectness), objectness).sum();
  return sum / static_cast<double>(head.size(0));
}

at::Tensor soft_detection_loss(const at::Tensor& head, const at::Tensor& teacher_head) {
  const std::int64_t width = head.size(3);
  const at::Tensor logits = by_cell(head), teacher = by_cell(teacher_head);
  const auto divergence = [&](std::int64_t begin, std::int64_t count) {
    const at::Tensor wanted = teacher.narrow(2, begin, count), target = at::sigmoid(wanted);
    return cross_entropy(logits.narrow(2, begin, count), target) - cross_entropy(wanted, target);
  };
  const at::Tensor cell = at::arange(logits.size(1), head.options());
  const at::Tensor row = cell.div(static_cast<double>(width), "floor"), column = cell.sub(row, static_cast<double>(width));
  const BoxLoss box = complete_iou_loss(boxes_in_strides(logits, column, row), boxes_in_strides(teacher, column, row));
  const at::Tensor is_object = at::sigmoid(teacher.select(2, kObjectness));
  const at::Tensor of_objects = box.loss * kBoxWeight + divergence(kBoxChannels, head.size(1) - kBoxChannels).sum(2);
  const at::Tensor sum = divergence(kObjectness, 1).sum() + (is_object * of_objects).sum();
  return sum / static_cast<double>(head.size(0));
}

}  // namespace lathe::evaluators::internal

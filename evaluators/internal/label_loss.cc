#include "evaluators/internal/label_loss.h"

#include <ATen/core/Reduction.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include "evaluators/dataset.h"
#include "evaluators/internal/detection_loss.h"
#include "evaluators/internal/network_rows.h"

namespace lathe::evaluators::internal {
namespace {

// Hinton et al., section 2: soft targets at temperature t, their loss scaled by t^2; the targets' own entropy is taken off so that
// agreement costs nothing.
at::Tensor soft_class_loss(const at::Tensor& logits, const at::Tensor& teacher_logits, double t) {
  const at::Tensor targets = teacher_logits.div(t);
  const at::Tensor difference = at::log_softmax(targets, 1).sub(at::log_softmax(logits.div(t), 1));
  return at::softmax(targets, 1).mul(difference).sum(1).mean().mul(t * t);
}

}  // namespace

at::Tensor label_loss(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& inputs, const at::Tensor& labels,
                      double smoothing) {
  if (are_objects(labels)) return detection_loss(outputs.at(0), labels, inputs.at(0).size(3), smoothing);
  constexpr std::int64_t kIgnoreNothing = -100;
  return at::cross_entropy_loss(logits_of(outputs), labels, {}, at::Reduction::Mean, kIgnoreNothing, smoothing);
}

at::Tensor soft_loss(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& teacher_outputs, bool is_detector,
                     double temperature) {
  if (is_detector) return soft_detection_loss(outputs.at(0), teacher_outputs.at(0));
  return soft_class_loss(logits_of(outputs), logits_of(teacher_outputs), temperature);
}

std::int64_t count_correct(const std::vector<at::Tensor>& outputs, const at::Tensor& labels) {
  if (are_objects(labels)) return 0;
  return at::argmax(logits_of(outputs).detach(), 1).eq(labels).sum().item().toLong();
}

}  // namespace lathe::evaluators::internal

// The loss of a network's outputs against what its rows are labelled with: classes or objects (see Rows::labels), and against a teacher's
// outputs. Everything is on one device. Means over rows, so that rows do not share their gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lathe::evaluators::internal {

// inputs: as the network took them. smoothing: of labels, for classes and for the class logits of detectors.
at::Tensor label_loss(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& inputs, const at::Tensor& labels,
                      double smoothing);

// 0 where both outputs are equal. is_detector: whether the rows are labelled with objects. temperature: of class logits alone.
at::Tensor soft_loss(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& teacher_outputs, bool is_detector,
                     double temperature);

// Rows whose class is predicted; 0 for detectors, which get no row right as a whole.
std::int64_t count_correct(const std::vector<at::Tensor>& outputs, const at::Tensor& labels);

}  // namespace lathe::evaluators::internal

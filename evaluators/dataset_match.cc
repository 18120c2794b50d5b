// Whether a network can take the rows of a data set.
#include <ATen/ops/max.h>

#include "evaluators/dataset.h"
#include "evaluators/detection_head.h"
#include "models/base/error.h"

namespace lathe::evaluators {
namespace {

bool is_integer(models::DataType type) {
  return type == models::DataType::kInt64 || type == models::DataType::kInt32 || type == models::DataType::kBool;
}

// Of one row as Rows::batch gives it.
std::string row_text(const at::Tensor& input) {
  std::vector<std::int64_t> shape = input.sizes().vec();
  shape[0] = models::kDynamic;
  return models::to_string(shape) +
         (at::isFloatingType(input.scalar_type()) || input.scalar_type() == at::kByte ? " of floats" : " of integers");
}

bool input_matches(const models::Value& value, const at::Tensor& input) {
  const bool data_is_float = at::isFloatingType(input.scalar_type()) || input.scalar_type() == at::kByte;
  if (data_is_float == is_integer(value.type)) return false;
  if (static_cast<std::int64_t>(value.shape.size()) != input.dim()) return false;
  for (std::size_t axis = 1; axis < value.shape.size(); ++axis) {
    if (value.shape[axis] != models::kDynamic && value.shape[axis] != input.size(static_cast<std::int64_t>(axis))) return false;
  }
  return true;
}

// Logits a row of the network's first output, or -1 where it is no [N, classes].
std::int64_t logits_of(const models::Value& output) {
  if (output.shape.size() < 2) return -1;
  for (std::size_t axis = 2; axis < output.shape.size(); ++axis) {
    if (output.shape[axis] != 1) return -1;
  }
  return output.shape[1];
}

// One grid of square cells over the image, with a logit for each class that the objects have.
void check_head(const Dataset& dataset, const models::Network& network) {
  const auto& output = network.value(network.outputs.at(0));
  const int classes = detection_classes(output.shape);
  const at::Tensor& images = dataset.test.inputs.at(0);
  const auto divides = [&](std::size_t axis) {
    const std::int64_t cells = output.shape[axis];
    return cells > 0 && images.size(static_cast<std::int64_t>(axis)) % cells == 0;
  };
  const bool is_head = classes > 0 && divides(2) && divides(3) && images.size(2) / output.shape[2] == images.size(3) / output.shape[3];
  if (!is_head) {
    throw UserError(Fault{.key = "model",
                          .expected = "expected a detector with one grid [N, 5 + classes, height / stride, width / stride] as first "
                                      "output, but '" +
                                      output.name + "' is " + models::to_string(output.shape)});
  }
  if (classes < dataset.classes) {
    throw UserError(Fault{.key = "data",
                          .expected = "expected classes from 0 to " + std::to_string(classes - 1) + ", since output '" + output.name +
                                      "' of the network is " + models::to_string(output.shape) + ", but data set '" + dataset.name +
                                      "' has class " + std::to_string(dataset.classes - 1)});
  }
}

}  // namespace

void check_matches(const Dataset& dataset, const models::Network& network) {
  const auto& inputs = dataset.test.inputs;
  if (inputs.size() != network.inputs.size()) {
    throw UserError(Fault{.key = "data",
                          .expected = "expected " + std::to_string(network.inputs.size()) + " inputs, which network '" + network.name +
                                      "' takes, but data set '" + dataset.name + "' has " + std::to_string(inputs.size())});
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& value = network.value(network.inputs[i]);
    if (input_matches(value, inputs[i])) continue;
    throw UserError(Fault{.key = "data",
                          .expected = "expected rows for input '" + value.name + "' " + models::to_string(value.shape) + " (" +
                                      models::to_string(value.type) + ") of network '" + network.name + "', but data set '" + dataset.name +
                                      "' has " + row_text(inputs[i])});
  }
  if (are_objects(dataset.test.labels)) return check_head(dataset, network);
  const auto& output = network.value(network.outputs.at(0));
  const std::int64_t logits = logits_of(output);
  if (logits < 0) {
    throw UserError(
        Fault{.key = "model",
              .expected = "expected logits [N, classes] as first output, but '" + output.name + "' is " + models::to_string(output.shape)});
  }
  if (logits < dataset.classes) {
    throw UserError(Fault{.key = "data",
                          .expected = "expected labels from 0 to " + std::to_string(logits - 1) + ", since output '" + output.name +
                                      "' of the network is " + models::to_string(output.shape) + ", but data set '" + dataset.name +
                                      "' has label " + std::to_string(dataset.classes - 1)});
  }
}

}  // namespace lathe::evaluators

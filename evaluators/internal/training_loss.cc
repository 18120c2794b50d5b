#include "evaluators/internal/training_loss.h"

#include <ATen/ops/mse_loss.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "evaluators/internal/label_loss.h"
#include "models/base/check.h"
#include "models/fold_batch_norm.h"

namespace lathe::evaluators::internal {
namespace {

using models::Network;
using models::ValueId;

// By name.
std::map<std::string, ValueId> residual_sums(const Network& network) {
  std::map<std::string, ValueId> sums;
  for (const models::Node& node : network.nodes) {
    if (node.op != "Add" || network.is_constant(node.inputs[0]) || network.is_constant(node.inputs[1])) continue;
    const models::Value& sum = network.value(node.outputs[0]);
    // Where one of the two is spread over the other, as a mask over attention's scores, it is no residual connection.
    if (network.value(node.inputs[0]).shape == sum.shape && network.value(node.inputs[1]).shape == sum.shape)
      sums.emplace(sum.name, node.outputs[0]);
  }
  return sums;
}

Network with_outputs(Network network, const std::vector<ValueId>& more) {
  network.outputs.insert(network.outputs.end(), more.begin(), more.end());
  return network;
}

// The input [rows, positions] that is 0 at padding, as networks for text have it.
std::optional<std::size_t> mask_input(const Network& network) {
  for (std::size_t i = 0; i < network.inputs.size(); ++i) {
    const models::Value& input = network.value(network.inputs[i]);
    if (input.name == "attention_mask" && input.shape.size() == 2) return i;
  }
  return std::nullopt;
}

// Whether 16 bits hold all that the network computes: weights in their range, and nothing that squares values or masks by huge ones.
bool fits_half_precision(const Network& network) {
  static const std::set<std::string> kWide{"Pow", "Exp", "Softmax", "LayerNormalization", "InstanceNormalization", "ReduceSum"};
  constexpr double kLargest = 65504;
  return std::none_of(network.nodes.begin(), network.nodes.end(), [](const models::Node& node) { return kWide.contains(node.op); }) &&
         std::all_of(network.constants.begin(), network.constants.end(), [](const auto& entry) {
           if (entry.second.type() != models::DataType::kFloat32) return true;
           const auto values = entry.second.template values<float>();
           return std::all_of(values.begin(), values.end(), [](float value) { return std::abs(value) < kLargest; });
         });
}

// On a GPU in half precision, where that is enough, with BatchNormalization folded: nothing of the teacher is trained.
models::Executor make_teacher(const Network& teacher, const std::vector<ValueId>& features, const std::string& device) {
  Network observed = with_outputs(teacher, features);
  if (device == "cpu") return models::Executor(std::move(observed));
  observed = models::fold_batch_norm(observed);
  const at::ScalarType type = fits_half_precision(observed) ? at::kHalf : at::kFloat;
  return models::Executor(std::move(observed), device, type);
}

}  // namespace

MatchedFeatures matched_features(const Network& first, const Network& second) {
  MatchedFeatures matched;
  const auto of_first = residual_sums(first), of_second = residual_sums(second);
  for (const auto& [name, value] : of_first) {
    const auto other = of_second.find(name);
    if (other == of_second.end() || first.value(value).shape != second.value(other->second).shape) continue;
    matched.first.push_back(value);
    matched.second.push_back(other->second);
  }
  return matched;
}

TrainingLoss::TrainingLoss(const Network& network, const Network* teacher, const TrainOptions& options)
    : options_(options), mask_input_(mask_input(network)) {
  if (options.distillation_weight <= 0 && options.feature_distillation <= 0) return;
  LATHE_CHECK(teacher != nullptr) << "distillation needs a teacher";
  MatchedFeatures matched;
  if (options.feature_distillation > 0) {
    matched = matched_features(network, *teacher);
    // Where all residual groups are pruned there is nothing to compare, which is no fault of whoever configured a search.
    if (matched.first.empty() && options.distillation_weight <= 0) return;
  }
  features_ = matched.first;
  teacher_.emplace(make_teacher(*teacher, matched.second, options.device));
}

Network TrainingLoss::with_features(Network network) const {
  return with_outputs(std::move(network), features_);
}

at::Tensor TrainingLoss::operator()(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& outputs,
                                    const at::Tensor& labels) const {
  const auto of_labels = [&] { return label_loss(outputs, inputs, labels, options_.label_smoothing); };
  if (!teacher_) return of_labels();
  std::vector<at::Tensor> teacher_outputs;
  {
    const c10::NoGradGuard no_grad;
    teacher_outputs = teacher_->run(inputs);
    for (at::Tensor& output : teacher_outputs) output = output.to(at::kFloat);
  }
  const double d = options_.distillation_weight;
  at::Tensor loss = d < 1 ? of_labels().mul(1 - d) : at::Tensor();
  if (d > 0) {
    const at::Tensor soft = soft_loss(outputs, teacher_outputs, are_objects(labels), options_.distillation_temperature).mul(d);
    loss = loss.defined() ? loss.add(soft) : soft;
  }
  return features_.empty() ? loss : loss.add(of_features(inputs, outputs, teacher_outputs), options_.feature_distillation);
}

at::Tensor TrainingLoss::of_features(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& outputs,
                                     const std::vector<at::Tensor>& teacher_outputs) const {
  at::Tensor sum;
  for (std::size_t i = 0; i < features_.size(); ++i) {
    at::Tensor h = outputs[outputs.size() - features_.size() + i], wanted = teacher_outputs[teacher_outputs.size() - features_.size() + i];
    if (mask_input_ && h.dim() == 3 && h.size(1) == inputs[*mask_input_].size(1)) {
      const at::Tensor counts = inputs[*mask_input_].unsqueeze(2).to(h.scalar_type());
      h = h.mul(counts);
      wanted = wanted.mul(counts);
    }
    const at::Tensor error = at::mse_loss(h, wanted).div(wanted.square().mean());
    sum = sum.defined() ? sum.add(error) : error;
  }
  return sum.div(static_cast<double>(features_.size()));
}

}  // namespace lathe::evaluators::internal

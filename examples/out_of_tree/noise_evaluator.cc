#include "noise_evaluator.h"

#include <cmath>

namespace npu {
namespace {

using lathe::evaluators::Evaluation;
using lathe::evaluators::EvaluationRequest;

class NoiseEvaluator final : public lathe::evaluators::Evaluator {
 public:
  explicit NoiseEvaluator(double layers) : layers_(layers) {}

  // Called from several threads: const, and no state is kept. Accuracy falls with the squared share of channels that go, and with the
  // power of rounding noise, 4^-bits (B. Widrow, I. Kollar, Quantization Noise, 2008, chapter 1), averaged over layers.
  Evaluation evaluate(const EvaluationRequest& request) const override {
    constexpr double kFloatAccuracy = 0.92, kCutWeight = 0.3, kRoundingWeight = 20;
    double cut = 0, rounding = 0;
    for (const auto& group : request.policy.groups) cut += (1 - group.keep_ratio) * (1 - group.keep_ratio);
    for (const auto& layer : request.policy.layers) rounding += std::pow(4.0, -layer.weight_bits) + std::pow(4.0, -layer.activation_bits);
    return {.accuracy = kFloatAccuracy * std::exp(-(kCutWeight * cut + kRoundingWeight * rounding) / layers_)};
  }

 private:
  double layers_;
};

}  // namespace

std::unique_ptr<lathe::evaluators::Evaluator> make_noise_evaluator(const lathe::evaluators::EvaluatorContext& context) {
  double layers = 0;
  for (const auto& node : context.network.nodes) layers += node.op == "Conv" || node.op == "Gemm" ? 1 : 0;
  return std::make_unique<NoiseEvaluator>(layers);
}

}  // namespace npu

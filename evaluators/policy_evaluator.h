// The built-in evaluator: compresses the network by the policy and counts correct (or agreeing) rows; of data with objects it takes mAP.
// Runs of the network are on `compression.device`; what works on weights stays on the CPU.
#pragma once

#include <memory>

#include "evaluators/compression.h"
#include "evaluators/dataset.h"
#include "evaluators/evaluator.h"

namespace lathe::evaluators {

// What a row counts as correct by: its label, or the float network's prediction. Detectors are measured by the objects always.
enum class AccuracyKind { kAccuracy, kAgreement };

struct PolicyEvaluatorOptions {
  CompressionOptions compression;
  AccuracyKind search_kind = AccuracyKind::kAccuracy;  // of the search split; the test split is always by label
  PrecisionMetric precision = PrecisionMetric::kAt50;  // the accuracy of detectors
  std::int64_t batch_size = 128;
};

// Thread-safe; the result of a request does not depend on the thread count. What goes wrong inside an evaluation (a policy that names
// unknown layers, logits that are not finite) is an Evaluation with is_ok = false.
class PolicyEvaluator final : public Evaluator {
 public:
  // Borrows all three, which must outlive it. `analysis` must be of `network`.
  PolicyEvaluator(const models::Network& network, const policies::CouplingAnalysis& analysis, const Dataset& dataset,
                  const PolicyEvaluatorOptions& options);
  ~PolicyEvaluator() override;

  Evaluation evaluate(const EvaluationRequest& request) const override;
  // The float network on all rows of the split, computed at the first call. Agreement with itself is 1.
  const Evaluation& reference(Split split) const;
  // Counts an already compressed network, on the rows of the request (its policy is not looked at); throws where evaluate() would return
  // is_ok = false.
  Evaluation measure(const models::Network& network, const EvaluationRequest& request) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::evaluators

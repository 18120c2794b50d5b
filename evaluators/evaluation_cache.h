// Accuracies that were measured before, by this search or another one, on this machine or another that sees the folder: no policy is
// measured twice in a sweep. Known by content: what is asked and everything that the answer depends on make the key, so a cache never has
// to be emptied.
//
// Each process appends whole lines to a file of its own and reads those of all others. Files that have one writer need no locks, which
// network file systems cannot be trusted with, and a line that a kill has cut short fails its checksum and is passed over. A cache that
// cannot be written to (disk full, read-only) is only read: it never ends a search. Of several that want the same policy at the same time
// one measures and the others wait for it, where the file system has locks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "evaluators/dataset.h"
#include "evaluators/evaluator.h"

namespace lathe::evaluators {

// Thread-safe.
class EvaluationCache {
 public:
  // Makes the folder where it is not there.
  explicit EvaluationCache(const std::string& folder);
  ~EvaluationCache();

  // key: 64 hexadecimal digits.
  std::optional<Evaluation> find(const std::string& key);
  void add(const std::string& key, const Evaluation& evaluation);
  // What is known, or else what `measure` gives, kept for all unless it failed: a timeout need not come again.
  Evaluation find_or_measure(const std::string& key, const std::function<Evaluation()>& measure);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Asks the cache before the evaluator.
class CachedEvaluator final : public Evaluator {
 public:
  // context: whatever the answers depend on besides the request (network, data, options, program), in any form.
  CachedEvaluator(std::unique_ptr<Evaluator> evaluator, const std::string& folder, std::string context);
  // The stored evaluation is returned as it was measured, its seconds included.
  Evaluation evaluate(const EvaluationRequest& request) const override;

 private:
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<EvaluationCache> cache_;
  std::string context_;
};

// SHA-256 of the rows of all splits (training rows apart), their labels and their normalization.
std::string content_sha256(const Dataset& dataset);

}  // namespace lathe::evaluators

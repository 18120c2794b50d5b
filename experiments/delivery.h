// A policy made into what the user takes away: recovered, measured on the held-out rows as the file that is delivered, written.
#pragma once

#include <functional>
#include <string>

#include "evaluators/evaluator.h"
#include "evaluators/recovery.h"
#include "experiments/experiment.h"
#include "policies/policy.h"

namespace lathe::experiments {

struct Delivery {
  policies::Policy policy;        // with its metrics, accuracy of the delivered file on the test split
  std::string onnx;               // bytes of the delivered file; "" where there is no data to calibrate it
  evaluators::Evaluation search;  // after recovery; is_ok = false for the user's command, which knows no recovery
  evaluators::Evaluation test;    // of the delivered file (of the simulation for the user's command)
  bool is_recovered = false;      // training helped on the search split and was kept
};

enum class Recovery { kAsConfigured, kNone };

// Thrown where the progress callback said stop.
struct DeliveryStopped {};

// kept channels are filled in. The recovered network is kept only if it is no worse on the search split than the calibrated one: a few
// epochs can also hurt. The file is read back and run; that is what is measured. Throws std::runtime_error where that fails.
// predictions: every target's. seed: of the training. checkpoints: from where a recovery that was cut short goes on. Thread-safe.
Delivery deliver(const Experiment& experiment, const policies::Policy& policy, const evaluators::Evaluation& float_test, Recovery recovery,
                 const std::function<bool(const evaluators::RecoveryProgress&)>& progress,
                 const evaluators::RecoveryCheckpoints& checkpoints = {});

// A measured accuracy with its interval, where the evaluator says how many rows it took.
policies::Figure accuracy_figure(const evaluators::Evaluation& evaluation, const std::string& split);

// Predicted latency and energy of the policy on every target of the experiment, as figures.
void add_predictions(const Experiment& experiment, policies::Policy& policy);

// The policy with the channels that it keeps written out, and the model's name and hash.
policies::Policy with_kept_channels(const Experiment& experiment, policies::Policy policy);

// Bytes of all weights of the pruned and folded network, each at its width.
std::int64_t packed_size(const Experiment& experiment, const policies::Policy& policy);

// Whether recovery has something to do, so that training rows are needed.
bool needs_training_rows(const ExperimentConfig& config);

}  // namespace lathe::experiments

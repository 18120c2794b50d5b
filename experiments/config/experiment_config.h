// What a config file says, as a plain value with every default in place. config_keys.cc ties each member to its key in the file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluators/dataset.h"
#include "evaluators/recovery.h"
#include "models/resnet_builder.h"
#include "policies/search_space.h"
#include "search/agent.h"

namespace lathe::experiments {

// A number for every device alike, or one a device.
struct DeviceLimit {
  std::optional<double> for_all;
  std::map<std::string, double> by_device;
  std::optional<double> of(const std::string& device) const;
  bool operator==(const DeviceLimit&) const = default;
};

struct ConstraintsConfig {
  double accuracy_loss = 1.0;          // points (1 = 0.01 of all rows) that a recommended policy may lose
  DeviceLimit latency_ms, energy_mj;   // at most
  double latency_quantile = 0.5;       // of the latency as calibration leaves it uncertain, that latency_ms limits; 0.5 = the prediction
  std::optional<double> packed_bytes;  // at most
  std::optional<double> macs;          // of one input, at most
  bool limits_something() const;       // beside accuracy
};

// Policies that are really timed on this machine while the search runs.
struct MeasuredFeedbackConfig {
  int every = 0;     // trials between two measurements; 0 = none
  int policies = 8;  // timed each time
};

// Rounds of `factor`^(rungs - 1) times more policies, of which the best go on to more rows.
struct HalvingConfig {
  int factor = 0;  // 0 = every policy on all rows
  int rungs = 2;
};

struct SearchConfig {
  int trials = 300;
  int threads = 0;                    // 0 = as many as the machine has
  int round = 0;                      // proposals a round; 0 = 4 for each agent
  std::string allocation = "credit";  // of a round: equal, credit (to agents whose trials make the fronts grow)
  std::vector<search::AgentOptions> agents{{"bayes", "bayes", {}}};
  bool asynchronous = false;  // no rounds: nobody waits, and the trials depend on the measurements' times
  bool sensitivity = true;    // measure each decision alone first, as a prior for the agents
  std::int64_t sensitivity_rows = 256;
  bool racing = false;  // a trial ends early once others are sure to be better
  HalvingConfig halving;
  std::string warm_start;  // folder of an earlier run of the network, whose trials begin this search; "" = none
  std::string pretrained;  // folder of an earlier run of any network, with whose agents' networks this one's begin; "" = none
  MeasuredFeedbackConfig measured_feedback;
  double accuracy_range = 20;  // points below the float network's that a front covers: its hypervolume's reference
};

struct EvaluatorConfig {
  std::string kind = "builtin";  // builtin, command
  std::string command;
  std::string metric = "auto";                   // accuracy, agreement (with the float network's answers), map50, map, auto
  std::string calibration = "mse";               // ranges of activations: min_max, percentile, mse, kl
  std::string weight_ranges = "mse";             // min_max, mse
  std::string reconstruction = "least_squares";  // of layers of pruned networks: least_squares, sequential, none
  std::string equalization = "none";             // of quantized networks' weights: cross_layer, none
  std::string weight_rounding = "nearest";       // of weights to their integers: nearest, gptq, adaround
  bool bias_correction = false;                  // of quantized networks
  std::string sparsification = "magnitude";      // of sparse layers' weights: magnitude, sparsegpt
  double timeout_seconds = 600;                  // kind command: for one policy
  std::string device = "cpu";                    // kind builtin: that runs the network: cpu, cuda
  std::int64_t rows = 0;                         // of the search split, a trial; 0 = all
  std::string cache;                             // folder of accuracies shared with other searches; "" = none
};

// Trials that are shared with other searches, in PostgreSQL.
struct StudyConfig {
  std::string url;                // "postgresql://user@host/database"; "" = none
  std::string name;               // of the study in that database
  double lease_seconds = 60;      // that a search may be silent before another one measures what it had begun
  double patience_seconds = 600;  // that the database may be away
};

struct RecoverConfig {
  int policies = 3;                      // delivered a device, from the safe one to faster ones that training may save
  double recoverable_loss = 10;          // points that training may win back
  bool only_where_needed = false;        // a policy that meets the loss as it was tried is not trained
  double checkpoint_seconds = 30;        // at least, between two states of a training that are kept
  evaluators::RecoveryOptions recovery;  // device and seed are set by the run
};

// How what is delivered is written.
struct DeliveryConfig {
  std::string integer_types = "int8";  // of weights: int8, int4 (at most 4 bits as INT4, opset 21)
};

// For `lathe train`.
struct TrainConfig {
  models::ResNetOptions network;  // input and classes are those of the data
  evaluators::TrainOptions training;
};

struct ExperimentConfig {
  std::string file;   // where it was read from
  std::string model;  // path of the ONNX file
  evaluators::DataOptions data;
  std::vector<std::string> devices;
  int batch = 1;  // that latency, energy and memory are predicted for
  policies::SpaceOptions space;
  std::vector<std::string> objectives{"accuracy", "latency_ms"};
  ConstraintsConfig constraints;
  SearchConfig search;
  EvaluatorConfig evaluator;
  StudyConfig study;
  RecoverConfig recover;
  DeliveryConfig delivery;
  TrainConfig train;
  std::string output;  // run directory
  std::uint64_t seed = 0;
};

}  // namespace lathe::experiments

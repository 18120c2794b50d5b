#include "experiments/experiment.h"

#include <oneapi/tbb/info.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "evaluators/compute_device.h"
#include "evaluators/detection_head.h"
#include "evaluators/evaluation_cache.h"
#include "evaluators/evaluator_registry.h"
#include "evaluators/external_command.h"
#include "evaluators/pruning_importance.h"
#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "policies/low_rank.h"
#include "policies/pruning_criterion.h"
#include "policies/quantized_layers.h"

namespace lathe::experiments {
namespace {

// What evaluations are told apart by: what `sequential` computes is another thing since it looks behind the relu.
std::string reconstruction_of(const ExperimentConfig& config) {
  return config.evaluator.reconstruction == "sequential" ? "sequential, behind the relu" : config.evaluator.reconstruction;
}

// Words of a command line; single and double quotes keep blanks together.
std::vector<std::string> split_command(const std::string& text) {
  std::vector<std::string> words;
  bool is_in_word = false;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        words.back() += c;
      continue;
    }
    const bool is_blank = c == ' ' || c == '\t' || c == '\n';
    if (!is_blank && !is_in_word) words.emplace_back();
    is_in_word = !is_blank;
    if (c == '\'' || c == '"')
      quote = c;
    else if (!is_blank)
      words.back() += c;
  }
  return words;
}

std::vector<Target> make_targets(const std::vector<std::string>& devices, const policies::WorkloadBuilder& builder,
                                 const models::Network& network, const policies::CouplingAnalysis& analysis) {
  const policies::Workload as_it_is = policies::workload_of(builder, network, analysis, policies::Policy{});
  std::vector<Target> targets;
  for (const std::string& device : devices) {
    Target target{.hardware = hwmodels::make_hardware_model(hwmodels::load_device(device))};
    target.float_prediction = target.hardware->predict(as_it_is);
    targets.push_back(std::move(target));
  }
  return targets;
}

policies::SearchSpace make_space(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                 const std::vector<Target>& targets, const policies::SpaceOptions& options) {
  std::vector<policies::DeviceCapabilities> capabilities;
  for (const Target& target : targets) capabilities.push_back(target.hardware->device().capabilities);
  policies::SearchSpace space = policies::make_search_space(network, analysis, policies::merge(capabilities), options);
  const bool has_choice =
      std::any_of(space.decisions.begin(), space.decisions.end(), [](const auto& decision) { return decision.values.size() > 1; });
  if (!has_choice) {
    const bool is_quantized = policies::count_quantized_layers(network) > 0;
    throw UserError(std::string("the search space is empty: ") +
                    (is_quantized ? "the network is quantized already (its weights come through DequantizeLinear); take the float network"
                                  : "nothing in this network can be pruned or quantized under the config's 'space' and devices; `lathe "
                                    "inspect` says why"));
  }
  return space;
}

// Extent of the logits, 0 where it is not known.
int classes_of(const models::Network& network, bool is_detector) {
  const models::Shape& shape = network.value(network.outputs.front()).shape;
  if (is_detector) return evaluators::detection_classes(shape);
  for (std::size_t axis = shape.size(); axis > 1; --axis)
    if (shape[axis - 1] > 1) return static_cast<int>(shape[axis - 1]);
  return 0;
}

std::optional<evaluators::Dataset> load_data(const ExperimentConfig& config, const models::Network& network, bool load_train) {
  if (config.data.path.empty()) return std::nullopt;
  evaluators::DataOptions options = config.data;
  options.load_train = load_train;
  options.classes = classes_of(network, config.data.kind == "detection");
  evaluators::Dataset dataset = evaluators::load_dataset(options);
  evaluators::check_matches(dataset, network);
  return dataset;
}

// What the accuracy of a detector is. Throws UserError where evaluator.metric and the data do not go together.
evaluators::PrecisionMetric precision_of(const ExperimentConfig& config, const evaluators::Dataset& dataset) {
  const std::string& metric = config.evaluator.metric;
  const bool is_precision = metric == "map50" || metric == "map", has_objects = evaluators::are_objects(dataset.test.labels);
  if (metric != "auto" && is_precision != has_objects)
    throw UserError(Fault{.file = config.file,
                          .key = "evaluator.metric",
                          .expected = std::string("expected auto, ") +
                                      (has_objects ? "map50 or map, because the rows of data.kind detection are labelled with objects"
                                                   : "accuracy or agreement, because the rows are labelled with classes"),
                          .got = metric});
  return metric == "map" ? evaluators::PrecisionMetric::kMean : evaluators::PrecisionMetric::kAt50;
}

std::vector<std::string> layers_with_ranks(const policies::SearchSpace& space) {
  std::vector<std::string> names;
  for (const policies::Decision& decision : space.decisions) {
    if (decision.kind == policies::DecisionKind::kRank) names.push_back(space.layers[static_cast<std::size_t>(decision.subject)].name);
  }
  return names;
}

models::Network load_network(const std::string& path) {
  return policies::prepare_for_pruning(models::read_onnx(path));
}

}  // namespace

Experiment::Experiment(const ExperimentConfig& given, bool load_train, const Distribution& distribution)
    : config(given),
      network(load_network(config.model)),
      model_bytes(static_cast<std::int64_t>(std::filesystem::file_size(config.model))),
      analysis(policies::analyze_coupling(network)),
      builder(network, analysis, config.batch,
              config.space.rank_ratios.empty() ? std::vector<int>{} : policies::factorable_layers(network)),
      targets(make_targets(config.devices, builder, network, analysis)),
      space(make_space(network, analysis, targets, config.space)),
      dataset(load_data(config, network, load_train)) {
  evaluators::check_available(config.evaluator.device, config.file, "evaluator.device");
  if (load_train) evaluators::check_available(config.recover.recovery.training.device, config.file, "recover.device");
  if (dataset && !space.groups.empty() && config.evaluator.reconstruction != "none")
    reconstruction_ = std::make_unique<evaluators::ConsumerReconstruction>(network, analysis, dataset->calibration);
  if (reconstruction_ != nullptr && config.evaluator.reconstruction == "sequential")
    sequential_ = std::make_unique<evaluators::SequentialReconstruction>(
        network, analysis, dataset->calibration, evaluators::SequentialReconstructionOptions{.device = config.evaluator.device});
  if (const std::vector<std::string> layers = layers_with_ranks(space); dataset && !layers.empty())
    low_rank_ = std::make_unique<evaluators::LowRankFitting>(network, analysis, dataset->calibration, layers);
  if (dataset) batch_norm_reference_ = evaluators::with_calibration_statistics(network, dataset->calibration);
  importance(config.space.criterion);  // what is wrong with it must show before a search starts
  for (Target& target : targets) target.scorer = std::make_unique<hwmodels::PolicyScorer>(builder, space, *target.hardware);
  make_evaluator();
  if (distribution.distribute) {
    evaluator_ = distribution.distribute(std::move(evaluator_));
    at_once_ = distribution.at_once;
  }
  if (!config.evaluator.cache.empty())
    evaluator_ = std::make_unique<evaluators::CachedEvaluator>(std::move(evaluator_), config.evaluator.cache, evaluation_context());
}

void Experiment::make_evaluator() {
  if (config.evaluator.kind == "command") {
    evaluator_ = std::make_unique<evaluators::CommandEvaluator>(evaluators::CommandOptions{
        .command = split_command(config.evaluator.command), .timeout_seconds = config.evaluator.timeout_seconds});
    return;
  }
  if (const evaluators::EvaluatorFactory* registered = evaluators::find_evaluator(config.evaluator.kind)) {
    evaluator_ = registered->make({.network = network, .analysis = analysis, .dataset = dataset ? &*dataset : nullptr});
    return;
  }
  const auto kind = uses_agreement() ? evaluators::AccuracyKind::kAgreement : evaluators::AccuracyKind::kAccuracy;
  auto builtin = std::make_unique<evaluators::PolicyEvaluator>(
      network, analysis, *dataset,
      evaluators::PolicyEvaluatorOptions{
          .compression = compression_options(), .search_kind = kind, .precision = precision_of(config, *dataset)});
  builtin_ = builtin.get();
  evaluator_ = std::move(builtin);
}

std::string Experiment::evaluation_context() const {
  return "lathe " LATHE_VERSION "\nmodel " + network.sha256 + "\ndata " + (dataset ? evaluators::content_sha256(*dataset) : "") +
         "\nmetric " + metric_name() + "\ncalibration " + config.evaluator.calibration + "\nweight ranges " +
         config.evaluator.weight_ranges + "\nreconstruction " + reconstruction_of(config) + "\nequalization " +
         config.evaluator.equalization + "\nweight rounding " + config.evaluator.weight_rounding + "\nbias correction " +
         (config.evaluator.bias_correction ? "yes" : "no") + "\nsparsification " + config.evaluator.sparsification + "\nevaluator " +
         config.evaluator.kind + " " + config.evaluator.command +
         // Another order of sums may turn a row; the CPU's caches from before this key keep their names.
         (config.evaluator.device == "cpu" ? "" : "\ndevice cuda");
}

evaluators::Evaluation Experiment::float_accuracy(evaluators::Split split) const {
  if (builtin_ != nullptr) return builtin_->reference(split);
  evaluators::Evaluation evaluation = evaluator_->evaluate({.policy = {}, .split = split});
  if (!evaluation.is_ok) throw std::runtime_error("the float network could not be evaluated: " + evaluation.error);
  return evaluation;
}

policies::Policy Experiment::to_policy(const policies::Candidate& candidate) const {
  return policies::to_policy(network, space, candidate, importance(config.space.criterion), config.space.criterion);
}

const policies::Importance& Experiment::importance(const std::string& criterion) const {
  if (policies::needs_rows(criterion) && !dataset)
    throw UserError(Fault{.file = config.file,
                          .key = "data.path",
                          .expected = "missing; the pruning criterion '" + criterion + "' is computed on calibration rows"});
  const std::lock_guard lock(importance_mutex_);
  const auto found = importance_.find(criterion);
  if (found != importance_.end()) return found->second;
  const evaluators::Rows* calibration = dataset ? &dataset->calibration : nullptr;
  return importance_.emplace(criterion, evaluators::channel_importance(network, analysis, criterion, config.seed, calibration))
      .first->second;
}

evaluators::CompressionOptions Experiment::compression_options() const {
  evaluators::CompressionOptions options{.reconstruction = reconstruction_.get(),
                                         .sequential = sequential_.get(),
                                         .low_rank = low_rank_.get(),
                                         .batch_norm_reference = batch_norm_reference_ ? &*batch_norm_reference_ : nullptr};
  options.activation_method = policies::parse_range_method(config.evaluator.calibration);
  options.weight_method = policies::parse_range_method(config.evaluator.weight_ranges);
  options.equalizes_across_layers = config.evaluator.equalization == "cross_layer";
  options.corrects_biases = config.evaluator.bias_correction;
  options.integer_types = policies::parse_integer_types(config.delivery.integer_types);
  options.weight_rounding = evaluators::parse_weight_rounding(config.evaluator.weight_rounding);
  options.sparsification = evaluators::parse_sparsification(config.evaluator.sparsification);
  options.device = config.evaluator.device;
  return options;
}

std::string Experiment::metric_name() const {
  if (dataset && evaluators::are_objects(dataset->test.labels)) return config.evaluator.metric == "map" ? "map" : "map50";
  return uses_agreement() ? "agreement" : "accuracy";
}

bool Experiment::uses_agreement() const {
  if (config.evaluator.metric != "auto") return config.evaluator.metric == "agreement";
  return config.evaluator.kind == "builtin" && dataset && dataset->search_rows_were_trained_on;
}

int Experiment::threads() const {
  return config.search.threads > 0 ? config.search.threads : oneapi::tbb::info::default_concurrency();
}

int Experiment::evaluations_at_once() const {
  return at_once_ > 0 ? at_once_ : threads();
}

}  // namespace lathe::experiments

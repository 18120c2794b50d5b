#include "experiments/search_run.h"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "evaluators/evaluation_json.h"
#include "evaluators/sensitivity.h"
#include "experiments/config/config.h"
#include "experiments/delivery_store.h"
#include "experiments/interruption.h"
#include "experiments/learned_agents.h"
#include "experiments/measured_feedback.h"
#include "experiments/problem_record.h"
#include "experiments/provenance.h"
#include "experiments/recommendation.h"
#include "experiments/report.h"
#include "experiments/results.h"
#include "experiments/run_directory.h"
#include "experiments/run_store.h"
#include "experiments/search_description.h"
#include "experiments/search_problem.h"
#include "experiments/trial_search.h"
#include "experiments/warm_start.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using evaluators::Evaluation;
using evaluators::Split;
using nlohmann::json;

// The evaluation restricted to its first rows.
Evaluation first_rows(const Evaluation& evaluation, std::int64_t rows) {
  if (rows > 0 && evaluation.detections && rows < evaluation.samples)
    return evaluators::detection_evaluation(evaluators::first_images(*evaluation.detections, rows));
  if (rows <= 0 || rows >= static_cast<std::int64_t>(evaluation.correct.size())) return evaluation;
  Evaluation cut = evaluation;
  cut.correct.resize(static_cast<std::size_t>(rows));
  const auto right = std::count(cut.correct.begin(), cut.correct.end(), 1);
  cut.samples = rows;
  cut.accuracy = static_cast<double>(right) / static_cast<double>(rows);
  cut.interval = evaluators::wilson_interval(right, rows);
  return cut;
}

// "fine-tuning 40 %"
std::string with_share_done(const evaluators::RecoveryProgress& now) {
  constexpr std::int64_t kPercent = 100;
  return now.stage + " " + std::to_string(kPercent * now.progress.step / std::max<std::int64_t>(1, now.progress.steps)) + " %";
}

// One run, stage by stage.
class SearchRun {
 public:
  SearchRun(const ExperimentConfig& config, bool is_resumed, Progress& progress, const SearchServices& services)
      : progress_(progress),
        agents_(with_learned(config.search.agents, config.search.pretrained)),
        experiment_(config, needs_training_rows(config), services.distribution),
        metrics_(experiment_),
        float_search_(first_rows(experiment_.float_accuracy(Split::kSearch), config.evaluator.rows)),
        problem_(make_problem(experiment_, metrics_, float_search_)) {
    check_constraints(experiment_, problem_);
    directory_ = std::make_unique<RunDirectory>(config.output, is_resumed);
    store_ = std::make_unique<RunStore>(directory_->store(), is_resumed ? RunStore::Mode::kResume : RunStore::Mode::kCreate,
                                        trial_settings(config, experiment_.network.sha256));
    deliveries_ = std::make_unique<DeliveryStore>(*store_, directory_->at("deliveries"), recovery_settings(config));
    write_atomically(directory_->config(), to_yaml(config));
    // A user's own program need not answer the same twice: what steers the search is what it said first.
    float_search_ =
        evaluators::evaluation_of(store_->fact("float_accuracy_search", [&] { return evaluators::evaluation_json(float_search_); }));
    problem_ = make_problem(experiment_, metrics_, float_search_);
    store_->fact("problem", [&] { return problem_json(problem_); });
    record_space(*store_, problem_.space);
    if (!config.study.url.empty()) join_study(services.open_study);
    store_->begin_session(provenance_of(experiment_));
    if (config.search.measured_feedback.every > 0) feedback_.emplace(experiment_, *store_, progress_);
    history_ = warm_start(config.search.warm_start, trial_settings(config, experiment_.network.sha256), problem_, *store_);
  }

  SearchOutcome run() {
    for (const std::string& line : search_description(experiment_, history_.size(), float_search_.accuracy)) progress_.say(line);
    search::SearchResult found;
    try {
      if (config().search.sensitivity) measure_sensitivity();
      found = search_all();
    } catch (const SearchStopped&) {
      return {};
    }
    if (found.is_stopped) return {};
    if (found.trials.empty()) throw UserError("no policy was tried: every proposal of the agents broke a limit of 'constraints'");
    return conclude(found);
  }

 private:
  const ExperimentConfig& config() const { return experiment_.config; }
  double least_accuracy() const { return float_search_.accuracy - config().constraints.accuracy_loss / 100; }

  void join_study(const StudyOpener& open) {
    if (!open) throw UserError(Fault{.file = config().file, .key = "study.url", .expected = "this program has no way to open a study"});
    study_ = open({.study = config().study,
                   .settings = study_settings(config(), experiment_.network.sha256),
                   .search_id = store_->known_fact("run_id").value(),
                   .trials = store_->trials()});
  }

  search::SearchResult search_part(int trials, std::uint64_t seed, const std::vector<search::Trial>& known) {
    return search_trials(experiment_, problem_, float_search_.accuracy, known, *store_, study_.get(), progress_,
                         {.trials = trials, .seed = seed, .agents = agents_});
  }

  search::SearchResult search_all() {
    if (!feedback_) return search_part(config().search.trials, config().seed, history_);
    return feedback_->run(
        problem_, history_,
        [&](int part, int trials, const std::vector<search::Trial>& known) {
          return search_part(trials, config().seed + static_cast<std::uint64_t>(part), known);
        },
        [&] {  // reference points follow the device
          std::vector<std::vector<double>> sensitivity = std::move(problem_.sensitivity);
          problem_ = make_problem(experiment_, metrics_, float_search_);
          problem_.sensitivity = std::move(sensitivity);
        });
  }

  void measure_sensitivity() {
    const json drops = store_->fact("sensitivity", [&] {
      progress_.start("sensitivity", 0);
      evaluators::SensitivityOptions options{.rows = config().search.sensitivity_rows, .threads = experiment_.evaluations_at_once()};
      json measured = evaluators::measure_sensitivity(
          experiment_.space, experiment_.evaluator(),
          [&](const policies::Candidate& candidate) { return experiment_.to_policy(candidate); }, options,
          [&](int done, int total) {
            progress_.update(done, "", /*recalled=*/0, total);
            if (is_interrupted()) throw SearchStopped{};
          });
      progress_.finish();
      return measured;
    });
    problem_.sensitivity = drops.get<std::vector<std::vector<double>>>();
  }

  std::vector<DeliveredPolicy> choose_among(const std::vector<search::Trial>& trials) const {
    constexpr double kPoints = 100;
    const DeliveryWish wish{.float_accuracy = float_search_.accuracy,
                            .accuracy_loss = config().constraints.accuracy_loss / kPoints,
                            .recoverable_loss = needs_training_rows(config()) ? config().recover.recoverable_loss / kPoints : 0,
                            .count = config().recover.policies};
    std::vector<DeliveredPolicy> chosen;
    for (std::size_t target = 0; target < experiment_.targets.size(); ++target) {
      for (const std::int64_t id : choose_deliveries(problem_, trials, static_cast<int>(target), wish))
        chosen.push_back({.target = static_cast<int>(target), .trial = id});
    }
    return chosen;
  }

  // The whole search split says what a trial's rows only hinted at: the best of hundreds of noisy figures flatters itself, so whatever is
  // about to be chosen is measured on all rows first, and the choice is made again until it stands.
  std::vector<DeliveredPolicy> choose(std::vector<search::Trial> trials) {
    const std::int64_t rows = config().evaluator.rows;
    // What lost a race was never run to its end, and another device may make a front's member of it.
    const bool may_have_lost = config().search.racing || !config().search.warm_start.empty();
    const bool is_partial = experiment_.builtin() != nullptr && (may_have_lost || (rows > 0 && rows < experiment_.dataset->search.size()));
    std::set<std::int64_t> confirmed;
    for (;;) {
      std::vector<DeliveredPolicy> chosen = choose_among(trials);
      std::vector<search::Trial*> open;
      for (const DeliveredPolicy& policy : chosen) {
        if (is_partial && confirmed.insert(policy.trial).second)
          open.push_back(&*std::find_if(trials.begin(), trials.end(), [&](const auto& trial) { return trial.id == policy.trial; }));
      }
      if (open.empty()) return chosen;
      confirm(open);
    }
  }

  // Replaces the accuracy of each trial by the float network's less the loss on all search rows. Stored, so that resuming chooses alike.
  void confirm(const std::vector<search::Trial*>& trials) {
    const double float_accuracy = experiment_.float_accuracy(Split::kSearch).accuracy;
    tbb::task_arena arena(experiment_.evaluations_at_once());
    arena.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, trials.size(),
          [&](std::size_t i) {
            search::Trial& trial = *trials[i];
            const Evaluation all =
                experiment_.evaluator().evaluate({.policy = experiment_.to_policy(trial.candidate), .split = Split::kSearch, .rows = 0});
            const json loss = store_->fact("loss_on_all_search_rows/" + std::to_string(trial.id),
                                           [&] { return json(all.is_ok ? float_accuracy - all.accuracy : 1.0); });
            trial.metrics[kAccuracyMetric] = float_search_.accuracy - loss.get<double>();
          },
          tbb::simple_partitioner());
    });
  }

  // Marks the fastest of each device's that loses little enough on the search split, now that it is recovered, puts it first, and numbers
  // all.
  void rank(std::vector<DeliveredPolicy>& chosen, const std::vector<search::Trial>& trials) const {
    const double whole_split =
        experiment_.builtin() != nullptr ? experiment_.float_accuracy(Split::kSearch).accuracy : float_search_.accuracy;
    constexpr double kRounding = 1e-9;
    const double loss = config().constraints.accuracy_loss / 100 + kRounding;
    const auto trial_of = [&](const DeliveredPolicy& policy) -> const search::Trial& {
      return *std::find_if(trials.begin(), trials.end(), [&](const search::Trial& trial) { return trial.id == policy.trial; });
    };
    for (DeliveredPolicy& policy : chosen) {
      const Evaluation& search = policy.delivery.search;
      policy.meets_loss =
          search.is_ok ? search.accuracy >= whole_split - loss : trial_of(policy).metrics[kAccuracyMetric] >= float_search_.accuracy - loss;
    }
    const auto latency = [&](const DeliveredPolicy& policy) {
      return trial_of(policy).metrics[static_cast<std::size_t>(latency_metric(policy.target))];
    };
    std::stable_sort(chosen.begin(), chosen.end(), [&](const DeliveredPolicy& a, const DeliveredPolicy& b) {
      return std::tuple(a.target, !a.meets_loss, latency(a)) < std::tuple(b.target, !b.meets_loss, latency(b));
    });
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      chosen[i].number = static_cast<int>(i) + 1;
      chosen[i].is_recommended = chosen[i].meets_loss && (i == 0 || chosen[i - 1].target != chosen[i].target);
    }
  }

  // Delivers each different trial once, in parallel.
  void deliver_all(std::vector<DeliveredPolicy>& chosen, const std::vector<search::Trial>& trials, const Evaluation& float_test) {
    std::map<std::int64_t, Delivery> deliveries;
    for (const DeliveredPolicy& policy : chosen) deliveries.try_emplace(policy.trial);
    std::vector<std::pair<const std::int64_t, Delivery>*> work;
    for (auto& entry : deliveries) work.push_back(&entry);
    progress_.start(needs_training_rows(config()) ? "recover and test" : "calibrate and test", static_cast<int>(work.size()));
    std::atomic<int> done = 0;
    tbb::task_arena arena(experiment_.threads());
    arena.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, work.size(),
          [&](std::size_t i) {
            // Isolated: a thread that waits inside for a part of its own training must not start another delivery meanwhile.
            tbb::this_task_arena::isolate([&] {
              const search::Trial& trial =
                  *std::find_if(trials.begin(), trials.end(), [&](const auto& t) { return t.id == work[i]->first; });
              const bool is_spared = config().recover.only_where_needed && trial.metrics[kAccuracyMetric] >= least_accuracy();
              const Recovery recovery = is_spared ? Recovery::kNone : Recovery::kAsConfigured;
              work[i]->second = deliveries_->find_or_make(trial.id, recovery, [&] {
                return deliver(
                    experiment_, experiment_.to_policy(trial.candidate), float_test, recovery,
                    [&](const evaluators::RecoveryProgress& now) {
                      progress_.update(done, with_share_done(now));
                      return !is_interrupted();
                    },
                    deliveries_->checkpoints(trial.id, config().recover.checkpoint_seconds));
              });
            });
            progress_.update(++done, "");
          },
          tbb::simple_partitioner());
    });
    progress_.finish();
    for (DeliveredPolicy& policy : chosen) policy.delivery = deliveries.at(policy.trial);
  }

  void write_policies(const std::vector<DeliveredPolicy>& chosen) const {
    for (const DeliveredPolicy& policy : chosen) {
      write_atomically(directory_->at(RunDirectory::policy_name(policy.number)), policies::to_json(policy.delivery.policy).dump(1) + "\n");
      if (!policy.delivery.onnx.empty()) write_atomically(directory_->at(RunDirectory::model_name(policy.number)), policy.delivery.onnx);
    }
  }

  SearchOutcome conclude(const search::SearchResult& found) {
    RunResults results{.experiment = experiment_,
                       .problem = problem_,
                       .trials = found.trials,
                       .duplicates = found.duplicates,
                       .rejected = found.rejected,
                       .float_search = float_search_};
    results.float_test = evaluators::evaluation_of(
        store_->fact("float_accuracy_test", [&] { return evaluators::evaluation_json(experiment_.float_accuracy(Split::kTest)); }));
    // Detections are not stored: a detector finds the same ones again.
    if (experiment_.builtin() != nullptr && results.float_test.correct.empty())
      results.float_test.detections = experiment_.builtin()->reference(Split::kTest).detections;
    if (feedback_) record_recalibrated(*store_, problem_, found.trials);
    results.delivered = choose(found.trials);
    try {
      deliver_all(results.delivered, found.trials, results.float_test);
      rank(results.delivered, found.trials);
    } catch (const DeliveryStopped&) {
      return {};
    }
    write_policies(results.delivered);
    write_learned(*directory_, found.learned);
    json document = results_json(results);
    if (feedback_) document["measured_feedback"] = feedback_->report(found.trials);
    SearchOutcome outcome{
        .is_finished = true, .results = document.dump(1) + "\n", .table = results_table(document), .report = directory_->report()};
    write_atomically(directory_->results(), outcome.results);
    write_atomically(outcome.report, report_html(document, to_yaml(config())));
    deliveries_->clear();
    return outcome;
  }

  Progress& progress_;
  const std::vector<search::AgentOptions> agents_;  // read before all slow work
  Experiment experiment_;
  DeviceMetrics metrics_;
  Evaluation float_search_;
  search::Problem problem_;
  std::unique_ptr<RunDirectory> directory_;
  std::unique_ptr<RunStore> store_;
  std::vector<search::Trial> history_;  // of an earlier run
  std::optional<MeasuredFeedback> feedback_;
  std::unique_ptr<SharedStudy> study_;  // null where the search shares with no other
  std::unique_ptr<DeliveryStore> deliveries_;
};

}  // namespace

SearchOutcome run_search_experiment(const ExperimentConfig& config, bool is_resumed, Progress& progress, const SearchServices& services) {
  RunDirectory::check(config.output, is_resumed);
  SearchRun run(config, is_resumed, progress, services);
  return run.run();
}

}  // namespace lathe::experiments

#include "experiments/trial_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "experiments/best_so_far.h"
#include "experiments/interruption.h"
#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

BestSoFar nothing_so_far(const Experiment& experiment, const search::Problem& problem, double float_accuracy) {
  std::vector<double> float_latency;
  for (const Target& target : experiment.targets) float_latency.push_back(target.float_prediction.latency_ms);
  return {problem, std::move(float_latency), float_accuracy - experiment.config.constraints.accuracy_loss / 100};
}

class TrialSearch {
 public:
  TrialSearch(const Experiment& experiment, const search::Problem& problem, double float_accuracy,
              const std::vector<search::Trial>& history, RunStore& store, SharedStudy* study, Progress& progress)
      : experiment_(experiment),
        problem_(problem),
        history_(history),
        store_(store),
        study_(study),
        progress_(progress),
        best_(nothing_so_far(experiment, problem, float_accuracy)) {}

  search::SearchResult run(const SearchPart& part) {
    const SearchConfig& config = experiment_.config.search;
    progress_.start("search", part.trials);
    // Without rounds the store's trials, those of before among them, are what the search goes on from, and count.
    const int known = config.asynchronous ? static_cast<int>(history_.size()) : 0;
    if (!config.asynchronous) note_history();
    search::SearchResult found =
        search::run_search(problem_, part.agents,
                           {.trials = part.trials + known,
                            .threads = experiment_.evaluations_at_once(),
                            .round = config.round,
                            .allocation = config.allocation == "credit" ? search::Allocation::kCredit : search::Allocation::kEqual,
                            .seed = part.seed,
                            .is_asynchronous = config.asynchronous,
                            .halving = {.factor = can_halve() ? config.halving.factor : 0, .rungs = config.halving.rungs}},
                           callbacks());
    progress_.finish();
    if (recalled_ == 0 && !found.is_stopped)
      progress_.say("evaluators were idle " + format_points(std::max(0.0, found.idle_share)) + " of the search's time");
    say_what_was_saved();
    if (found.is_exhausted) progress_.say("the agents know no further policies: " + std::to_string(found.trials.size()) + " trials");
    return found;
  }

 private:
  // Programs of others, and mAP, have no use for the bar, and measure no part of the rows.
  bool has_row_counts() const { return experiment_.builtin() != nullptr && !evaluators::are_objects(experiment_.dataset->search.labels); }
  bool can_race() const { return experiment_.config.search.racing && has_row_counts(); }
  bool can_halve() const { return experiment_.config.search.halving.factor > 0 && has_row_counts(); }

  std::int64_t rows_of_a_trial() const {
    const std::int64_t all = experiment_.dataset->search.size(), wanted = experiment_.config.evaluator.rows;
    return wanted > 0 ? std::min(wanted, all) : all;
  }

  void say_what_was_saved() {
    const SearchConfig& config = experiment_.config.search;
    if ((config.racing || config.halving.factor > 0) && !has_row_counts())
      progress_.say(std::string(config.racing ? "search.racing" : "search.halving") + ": this evaluator measures all rows of each policy");
    if ((!can_race() && !can_halve()) || measured_ == 0) return;
    const auto rows = static_cast<double>(measured_ * rows_of_a_trial());
    progress_.say(std::string(can_race() ? "racing" : "halving") + " ran " + format_points(static_cast<double>(rows_run_) / rows) +
                  " of the rows");
  }

  search::ControllerCallbacks callbacks() {
    search::ControllerCallbacks callbacks{
        .measure = [this](const policies::Candidate& candidate) { return measure(candidate, /*bar=*/0); },
        .race = {},
        .recall = [this](std::int64_t id, const policies::Candidate& candidate) { return recall(id, candidate); },
        .record = [this](std::span<const search::Trial> trials) { record(trials); },
        .known = [this] { return known(); },
        .history = experiment_.config.search.asynchronous ? std::vector<search::Trial>{} : history_,
        .shared = study_,
        .progress = [](const std::vector<search::Trial>&) { return !is_interrupted(); }};
    if (can_race()) callbacks.race = [this](const policies::Candidate& candidate, double bar) { return measure(candidate, bar); };
    callbacks.measure_part = [this](const policies::Candidate& candidate, const search::Part& part) {
      return measure_part(candidate, part);
    };
    return callbacks;
  }

  search::Measurement measure(const policies::Candidate& candidate, double bar) {
    if (is_interrupted()) throw SearchStopped{};
    const evaluators::Evaluation evaluation = experiment_.evaluator().evaluate({.policy = experiment_.to_policy(candidate),
                                                                                .split = evaluators::Split::kSearch,
                                                                                .rows = experiment_.config.evaluator.rows,
                                                                                .bar = bar});
    rows_run_ += evaluation.samples;
    ++measured_;
    return share_of_correct(evaluation, evaluation.accuracy, evaluation.samples);
  }

  // Whole rows: a part ends where the next one begins.
  search::Measurement measure_part(const policies::Candidate& candidate, const search::Part& part) {
    if (is_interrupted()) throw SearchStopped{};
    const auto row = [this](double share) {
      return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(rows_of_a_trial())));
    };
    const std::int64_t begin = part.from > 0 ? row(part.from) : 0, end = row(part.to);
    if (begin == end) return share_of_correct({}, part.value, end, /*is_partial=*/end < rows_of_a_trial());  // fewer rows than rungs
    const evaluators::Evaluation evaluation = experiment_.evaluator().evaluate(
        {.policy = experiment_.to_policy(candidate), .split = evaluators::Split::kSearch, .rows = end, .first_row = begin});
    rows_run_ += evaluation.samples;
    if (part.from == 0) ++measured_;
    const double correct =
        std::round(part.value * static_cast<double>(begin)) + std::round(evaluation.accuracy * static_cast<double>(evaluation.samples));
    return share_of_correct(evaluation, correct / static_cast<double>(end), end, /*is_partial=*/end < rows_of_a_trial());
  }

  static search::Measurement share_of_correct(const evaluators::Evaluation& evaluation, double share, std::int64_t rows,
                                              bool is_partial = false) {
    const auto n = static_cast<double>(std::max<std::int64_t>(1, rows));
    // Few rows that are all right are no proof of 100 %: one more of each, as Laplace's rule of succession has it.
    const double likely = is_partial ? (share * n + 1) / (n + 2) : share;
    return {.is_ok = evaluation.is_ok,
            .error = evaluation.error,
            .value = share,
            .stddev = std::sqrt(likely * (1 - likely) / n),
            .seconds = evaluation.seconds};
  }

  std::optional<search::Trial> recall(std::int64_t id, const policies::Candidate& candidate) {
    std::optional<search::Trial> trial = store_.recall(id, candidate);
    if (trial) note(*trial, Origin::kRecalled);
    return trial;
  }

  void record(std::span<const search::Trial> trials) {
    store_.record(trials);  // first: the study may be out of reach
    for (const search::Trial& trial : trials) {
      if (study_ != nullptr) study_->record(trial);
      note(trial, Origin::kMeasured);
    }
  }

  void note_history() {
    for (const search::Trial& trial : history_) best_.add(trial);
  }

  std::vector<search::Trial> known() {
    std::vector<search::Trial> trials = store_.trials();
    for (const search::Trial& trial : trials) note(trial, Origin::kRecalled);
    return trials;
  }

  enum class Origin { kMeasured, kRecalled };
  void note(const search::Trial& trial, Origin origin) {
    const std::lock_guard lock(mutex_);
    best_.add(trial);
    ++done_;
    if (origin == Origin::kRecalled) ++recalled_;
    progress_.update(done_, best_.to_string(), recalled_);
  }

  const Experiment& experiment_;
  const search::Problem& problem_;
  const std::vector<search::Trial>& history_;
  RunStore& store_;
  SharedStudy* const study_;  // null where there is none
  Progress& progress_;
  std::mutex mutex_;  // recalled trials are noted by the controller's thread, new ones by whoever measured them
  BestSoFar best_;
  int done_ = 0, recalled_ = 0;
  std::atomic<std::int64_t> rows_run_ = 0, measured_ = 0;
};

}  // namespace

search::SearchResult search_trials(const Experiment& experiment, const search::Problem& problem, double float_accuracy,
                                   const std::vector<search::Trial>& history, RunStore& store, SharedStudy* study, Progress& progress,
                                   const SearchPart& part) {
  return TrialSearch(experiment, problem, float_accuracy, history, store, study, progress).run(part);
}

}  // namespace lathe::experiments

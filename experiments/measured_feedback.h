// `search.measured_feedback`: the loop of search, compression, timing and calibration. After every part of the search some of its best
// policies are compressed and timed in ONNX Runtime on this machine, the device's hardware model is fitted to all times so far (lathe
// calibrate), the trials get the latencies that it now predicts, and the search goes on with them as what it knows.
//
// What is timed is the graph that is delivered, with made-up quantization ranges, on which times do not depend (profile/timed_networks.h).
// Times are facts of the run's store: a resumed run takes them from there, so that it has the trials it would have had.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <vector>

#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/run_store.h"
#include "search/controller.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

class MeasuredFeedback {
 public:
  // The first of the experiment's devices that is an x86 processor is taken for this machine. Throws UserError where there is none. All
  // references must outlive this.
  MeasuredFeedback(Experiment& experiment, RunStore& store, Progress& progress);

  // Runs search_part, a search for so many further trials that begins with those known, until config.search.trials are done. After each
  // part policies are timed and the experiment's device is fitted; on_new_device() must then make `problem` follow it. A stopped part ends
  // it.
  using RunPart = std::function<search::SearchResult(int part, int trials, const std::vector<search::Trial>& known)>;
  search::SearchResult run(const search::Problem& problem, std::vector<search::Trial> known, const RunPart& search_part,
                           const std::function<void()>& on_new_device);

  // {"device", "runtime", "timed": [{"trial", "measured_ms", "predicted_before_ms", "predicted_after_ms"}], "measured_front",
  // "kept_by_prediction", "kept_by_calibration", "median_error_before", "median_error_after"}; trials: all, for their accuracy. Errors are
  // shares, those before of the device as the config names it.
  nlohmann::json report(const std::vector<search::Trial>& trials) const;

 private:
  struct Time {
    std::int64_t trial;  // -1: the float network
    policies::Candidate candidate;
    double measured_ms;
  };
  void update(int part, const search::Problem& problem, const std::vector<search::Trial>& trials);
  nlohmann::json time_policies(const std::vector<search::Trial>& trials, const std::vector<std::int64_t>& ids) const;
  policies::Workload workload_of(const Time& time) const;
  void calibrate();

  Experiment& experiment_;
  RunStore& store_;
  Progress& progress_;
  std::size_t target_ = 0;
  hwmodels::DeviceSpec device_;  // as the config names it
  std::string runtime_;
  std::vector<Time> times_;
  std::set<std::int64_t> timed_;
};

}  // namespace lathe::experiments

#include "experiments/measured_feedback.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/profile/timed_networks.h"
#include "experiments/search_problem.h"
#include "experiments/text_table.h"
#include "experiments/timed_share.h"
#include "hwmodels/calibration/device_calibration.h"
#include "hwmodels/profiling/onnx_runtime.h"
#include "hwmodels/profiling/timing.h"
#include "models/base/error.h"
#include "models/onnx_writer.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

constexpr std::int64_t kFloatNetwork = -1;

std::size_t this_machine(const Experiment& experiment) {
  const auto is_x86 = [](const Target& target) { return target.hardware->device().device_class == hwmodels::DeviceClass::kX86Cpu; };
  const auto found = std::find_if(experiment.targets.begin(), experiment.targets.end(), is_x86);
  if (found == experiment.targets.end()) {
    throw UserError(Fault{.file = experiment.config.file,
                          .key = "search.measured_feedback.every",
                          .expected = "expected a device of class x86_cpu among 'devices': what is timed is this machine"});
  }
  return static_cast<std::size_t>(found - experiment.targets.begin());
}

const search::Trial& trial_of(const std::vector<search::Trial>& trials, std::int64_t id) {
  return *std::find_if(trials.begin(), trials.end(), [&](const search::Trial& trial) { return trial.id == id; });
}

// Gives the trials what the problem's exact metrics are now.
void score_again(const search::Problem& problem, std::vector<search::Trial>& trials) {
  for (search::Trial& trial : trials) {
    const std::vector<double> exact = exact_metrics(problem, trial.candidate);
    for (std::size_t m = 0; m < exact.size(); ++m) {
      if (!problem.metrics[m].is_measured) trial.metrics[m] = exact[m];
    }
  }
}

std::string percent(double share) {
  return format_fixed(100 * share, 1) + " %";
}

}  // namespace

MeasuredFeedback::MeasuredFeedback(Experiment& experiment, RunStore& store, Progress& progress)
    : experiment_(experiment),
      store_(store),
      progress_(progress),
      target_(this_machine(experiment)),
      device_(experiment.targets[target_].hardware->device()) {}

search::SearchResult MeasuredFeedback::run(const search::Problem& problem, std::vector<search::Trial> known, const RunPart& search_part,
                                           const std::function<void()>& on_new_device) {
  const SearchConfig& config = experiment_.config.search;
  search::SearchResult whole;
  for (int done = 0, part = 0; done < config.trials; done += config.measured_feedback.every, ++part) {
    search::SearchResult found = search_part(part, std::min(config.measured_feedback.every, config.trials - done), known);
    whole.duplicates += found.duplicates;
    whole.rejected += found.rejected;
    whole.is_stopped = found.is_stopped;
    if (found.is_stopped) break;
    whole.is_exhausted = found.is_exhausted;
    whole.learned = std::move(found.learned);
    known = std::move(found.trials);
    if (known.empty()) break;
    update(part, problem, known);
    on_new_device();
    score_again(problem, known);
    if (found.is_exhausted) break;
  }
  whole.trials = std::move(known);
  return whole;
}

json MeasuredFeedback::time_policies(const std::vector<search::Trial>& trials, const std::vector<std::int64_t>& ids) const {
  const hwmodels::OnnxRuntime runtime;
  const int threads = device_.parameters.contains("threads") ? static_cast<int>(device_.at("threads")) : 1;
  const policies::IntegerTypes types = policies::parse_integer_types(experiment_.config.delivery.integer_types);
  std::vector<std::function<void()>> jobs;
  for (const std::int64_t id : ids) {
    const policies::Policy policy = id == kFloatNetwork ? policies::Policy{} : experiment_.to_policy(trial_of(trials, id).candidate);
    jobs.push_back(runtime.make_job(models::serialize_onnx(timed_network(experiment_.network, policy, types)),
                                    {.label = experiment_.network.name, .threads = threads, .batch = experiment_.config.batch}));
  }
  // ONNX Runtime of one thread works on the calling one, whose own time tells nothing of what else the machine does.
  const hwmodels::TimingOptions timing{.source = threads == 1 ? hwmodels::TimeSource::kCallingThread : hwmodels::TimeSource::kWall};
  const std::vector<hwmodels::Timing> timings = hwmodels::time_jobs(jobs, timing);
  json times = json::array();
  for (std::size_t i = 0; i < ids.size(); ++i)
    times.push_back({{"trial", ids[i]}, {"median_ms", timings[i].median_ms}, {"p10_ms", timings[i].p10_ms}, {"p90_ms", timings[i].p90_ms}});
  return {{"runtime", "onnxruntime " + runtime.version()}, {"times", times}};
}

policies::Workload MeasuredFeedback::workload_of(const Time& time) const {
  const policies::Policy policy = time.trial == kFloatNetwork ? policies::Policy{} : experiment_.to_policy(time.candidate);
  return policies::workload_of(experiment_.builder, experiment_.network, experiment_.analysis, policy);
}

void MeasuredFeedback::update(int part, const search::Problem& problem, const std::vector<search::Trial>& trials) {
  std::vector<std::int64_t> ids =
      worth_timing(problem, problem.fronts[target_], trials, timed_, experiment_.config.search.measured_feedback.policies);
  if (times_.empty()) ids.insert(ids.begin(), kFloatNetwork);
  const json fact = store_.fact("measured_feedback/" + std::to_string(part), [&] {
    progress_.say("timing " + std::to_string(ids.size()) + " networks in ONNX Runtime");
    return time_policies(trials, ids);
  });
  runtime_ = fact["runtime"].get<std::string>();
  for (const json& time : fact["times"]) {
    const auto id = time["trial"].get<std::int64_t>();
    times_.push_back({id, id == kFloatNetwork ? policies::Candidate{} : trial_of(trials, id).candidate, time["median_ms"].get<double>()});
    timed_.insert(id);
  }
  calibrate();
}

void MeasuredFeedback::calibrate() {
  std::vector<hwmodels::LatencyMeasurement> measurements;
  for (const Time& time : times_) measurements.push_back({.workload = workload_of(time), .latency_ms = time.measured_ms});
  const hwmodels::DeviceCalibration calibration = hwmodels::calibrate_device(device_, measurements, "measured feedback");
  Target& target = experiment_.targets[target_];
  target.scorer.reset();  // it borrows the model
  target.hardware = hwmodels::make_hardware_model(calibration.fit.device);
  target.scorer = std::make_unique<hwmodels::PolicyScorer>(experiment_.builder, experiment_.space, *target.hardware);
  target.float_prediction = target.hardware->predict(workload_of({kFloatNetwork, {}, 0}));
  progress_.say(device_.name + ": fitted to " + std::to_string(times_.size()) + " measured networks, cross-validated median error " +
                percent(calibration.cross_validated_error));
}

json MeasuredFeedback::report(const std::vector<search::Trial>& trials) const {
  const std::unique_ptr<hwmodels::HardwareModel> before = hwmodels::make_hardware_model(device_);
  const hwmodels::HardwareModel& after = *experiment_.targets[target_].hardware;
  std::vector<TimedPolicy> predicted, calibrated;
  json timed = json::array();
  for (const Time& time : times_) {
    if (time.trial == kFloatNetwork) continue;
    const policies::Workload workload = workload_of(time);
    TimedPolicy policy{.trial = time.trial,
                       .accuracy = trial_of(trials, time.trial).metrics[kAccuracyMetric],
                       .measured_ms = time.measured_ms,
                       .predicted_ms = before->predict(workload).latency_ms};
    predicted.push_back(policy);
    policy.predicted_ms = after.predict(workload).latency_ms;
    calibrated.push_back(policy);
    timed.push_back({{"trial", time.trial},
                     {"measured_ms", time.measured_ms},
                     {"predicted_before_ms", predicted.back().predicted_ms},
                     {"predicted_after_ms", policy.predicted_ms}});
  }
  json document{{"device", device_.name}, {"runtime", runtime_}, {"timed", timed}};
  if (predicted.empty()) return document;
  const FrontShare share = kept_by_prediction(predicted);
  document["measured_front"] = share.on_measured_front;
  document["kept_by_prediction"] = share.kept;
  document["kept_by_calibration"] = kept_by_prediction(calibrated).kept;
  document["median_error_before"] = median_error(predicted);
  document["median_error_after"] = median_error(calibrated);
  return document;
}

}  // namespace lathe::experiments

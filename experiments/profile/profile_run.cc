#include "experiments/profile/profile_run.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "experiments/profile/timed_networks.h"
#include "experiments/profile/torch_job.h"
#include "hwmodels/profiling/machine_state.h"
#include "hwmodels/profiling/onnx_runtime.h"
#include "hwmodels/profiling/power_meter.h"
#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

namespace lathe::experiments {
namespace {

using hwmodels::LayerShape;
using hwmodels::Measurement;
using models::Network;

// What is to be timed: rows without their times, and the work.
struct Jobs {
  std::vector<Measurement> rows;
  std::vector<std::function<void()>> work;
};

// The float network first, then each policy.
struct NamedPolicy {
  std::string file;
  policies::Policy policy;
};
std::vector<NamedPolicy> read_policies(const ProfileOptions& options) {
  std::vector<NamedPolicy> policies(1);
  for (const std::string& file : options.policies) policies.push_back({file, policies::read_policy(file)});
  return policies;
}

class JobMaker {
 public:
  explicit JobMaker(const ProfileOptions& options)
      : options_(options), network_(policies::prepare_for_pruning(models::read_onnx(options.model))), policies_(read_policies(options)) {
    if (options.device == ProfiledDevice::kCuda && options.runtime != ProfilingRuntime::kLibTorch) {
      throw UserError("--device cuda is measured through LibTorch; add --runtime libtorch");
    }
    if (options.device == ProfiledDevice::kCuda && !has_cuda()) throw UserError("no CUDA device here, or LibTorch was built without CUDA");
    if (options.runtime == ProfilingRuntime::kOnnxRuntime) onnx_runtime_.emplace();
  }

  void add_networks() {
    for (const NamedPolicy& entry : policies_) {
      const bool is_simulated = options_.runtime == ProfilingRuntime::kLibTorch;  // which has no integer kernels for these graphs
      Measurement row{.policy = entry.file, .precision = is_simulated ? "fp32" : precision_name(network_, entry.policy)};
      add(is_simulated ? timed_float_network(network_, entry.policy) : timed_network(network_, entry.policy), std::move(row));
    }
  }

  void add_layers() {
    for (const LayerShape& shape : shapes()) {
      for (const int bits : {32, 8}) {
        if (bits == 8 && options_.runtime == ProfilingRuntime::kLibTorch) continue;
        add(layer_network(shape, bits), {.precision = bits == 8 ? "int8" : "fp32", .layer = shape.name});
      }
    }
  }

  std::vector<LayerShape> shapes() const {
    const policies::CouplingAnalysis analysis = policies::analyze_coupling(network_);
    const policies::WorkloadBuilder builder(network_, analysis, options_.batch);
    std::vector<LayerShape> all;
    for (const NamedPolicy& entry : policies_) {
      for (LayerShape& shape : layer_shapes(policies::workload_of(builder, network_, analysis, entry.policy))) {
        const auto is_same = [&](const LayerShape& other) { return other.has_same_shape(shape); };
        if (std::any_of(all.begin(), all.end(), is_same)) continue;
        if (!entry.file.empty()) shape.name += " of " + entry.file;
        all.push_back(std::move(shape));
      }
    }
    return all;
  }

  Jobs take_jobs() { return std::move(jobs_); }

 private:
  void add(const Network& network, Measurement row) {
    row.model = options_.model;
    row.batch = options_.batch;
    row.threads = options_.threads;
    if (onnx_runtime_) {
      row.runtime = "onnxruntime " + onnx_runtime_->version();
      jobs_.work.push_back(onnx_runtime_->make_job(models::serialize_onnx(network),
                                                   {.label = options_.model, .threads = options_.threads, .batch = options_.batch}));
    } else {
      row.runtime = "libtorch";
      jobs_.work.push_back(
          make_torch_job(network, options_.device == ProfiledDevice::kCuda ? "cuda" : "cpu", options_.threads, options_.batch));
    }
    jobs_.rows.push_back(std::move(row));
  }

  const ProfileOptions& options_;
  Network network_;
  std::vector<NamedPolicy> policies_;
  std::optional<hwmodels::OnnxRuntime> onnx_runtime_;
  Jobs jobs_;
};

void add_power(const ProfileOptions& options, Jobs& jobs) {
  if (options.device != ProfiledDevice::kCuda) return;
  const hwmodels::PowerMeter meter;
  for (std::size_t i = 0; i < jobs.work.size(); ++i) jobs.rows[i].power_w = meter.average_power_w(jobs.work[i], options.seconds);
}

}  // namespace

std::vector<Measurement> profile(const ProfileOptions& options) {
  const int pinned = options.device == ProfiledDevice::kHost ? hwmodels::pin_to_processors(options.threads) : 0;
  JobMaker maker(options);
  maker.add_networks();
  if (options.measures_layers) maker.add_layers();
  Jobs jobs = maker.take_jobs();
  hwmodels::TimingOptions timing;
  timing.burst_s = options.seconds / timing.rounds;
  const std::vector<hwmodels::Timing> timings = hwmodels::time_jobs(jobs.work, timing);
  add_power(options, jobs);
  const std::string notes = hwmodels::machine_notes(pinned);
  const std::string device = options.device == ProfiledDevice::kCuda ? "cuda" : hwmodels::processor_name();
  for (std::size_t i = 0; i < timings.size(); ++i) {
    jobs.rows[i].timing = timings[i];
    jobs.rows[i].notes = notes;
    jobs.rows[i].device = device;
  }
  return std::move(jobs.rows);
}

std::vector<LayerShape> profiled_layers(const ProfileOptions& options) {
  return JobMaker(options).shapes();
}

}  // namespace lathe::experiments

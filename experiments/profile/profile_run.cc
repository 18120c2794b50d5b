#include "experiments/profile/profile_run.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "experiments/profile/timed_networks.h"
#include "experiments/profile/torch_job.h"
#include "hwmodels/profiling/machine_state.h"
#include "hwmodels/profiling/nvml_device.h"
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

void check(const ProfileOptions& options) {
  const bool is_cuda = options.device == ProfiledDevice::kCuda;
  if (is_cuda && options.runtime != ProfilingRuntime::kLibTorch) {
    throw UserError("--device cuda is measured through LibTorch; add --runtime libtorch");
  }
  if (is_cuda && !has_cuda()) throw UserError("no CUDA device here, or LibTorch was built without CUDA");
  if (options.measures_half && options.runtime != ProfilingRuntime::kLibTorch) throw UserError("--fp16 is for --runtime libtorch");
  if (options.uses_graph && !is_cuda) throw UserError("--cuda-graph is for --device cuda");
}

class JobMaker {
 public:
  explicit JobMaker(const ProfileOptions& options)
      : options_(options), network_(policies::prepare_for_pruning(models::read_onnx(options.model))), policies_(read_policies(options)) {
    check(options);
    if (options.runtime == ProfilingRuntime::kOnnxRuntime) onnx_runtime_.emplace();
  }

  void add_networks() {
    for (const NamedPolicy& entry : policies_) {
      const Measurement row{.policy = entry.file};
      if (onnx_runtime_) {
        add_onnx(timed_network(network_, entry.policy), precision_name(network_, entry.policy), row);
      } else {
        add_torch(timed_float_network(network_, entry.policy), row);  // LibTorch has no integer kernels for these graphs
      }
    }
  }

  void add_layers() {
    for (const LayerShape& shape : shapes()) {
      const Measurement row{.layer = shape.name};
      if (!onnx_runtime_) {
        add_torch(layer_network(shape, 32), row);
        continue;
      }
      add_onnx(layer_network(shape, 32), "fp32", row);
      add_onnx(layer_network(shape, 8), "int8", row);
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
  void add(std::function<void()> work, Measurement row) {
    row.model = options_.model;
    row.batch = options_.batch;
    row.threads = options_.threads;
    jobs_.work.push_back(std::move(work));
    jobs_.rows.push_back(std::move(row));
  }

  void add_onnx(const Network& network, const std::string& precision, Measurement row) {
    row.runtime = "onnxruntime " + onnx_runtime_->version();
    row.precision = precision;
    add(onnx_runtime_->make_job(models::serialize_onnx(network),
                                {.label = options_.model, .threads = options_.threads, .batch = options_.batch}),
        std::move(row));
  }

  void add_torch(const Network& network, Measurement row) {
    row.runtime = options_.uses_graph ? "libtorch in a CUDA graph" : "libtorch";
    TorchJobOptions job{.device = options_.device == ProfiledDevice::kCuda ? "cuda" : "cpu",
                        .threads = options_.threads,
                        .batch = options_.batch,
                        .is_graph = options_.uses_graph};
    row.precision = "fp32";
    add(make_torch_job(network, job), row);
    if (!options_.measures_half) return;
    job.is_half = true;
    row.precision = "fp16";
    add(make_torch_job(network, job), row);
  }

  const ProfileOptions& options_;
  Network network_;
  std::vector<NamedPolicy> policies_;
  std::optional<hwmodels::OnnxRuntime> onnx_runtime_;
  Jobs jobs_;
};

// On the host what the rows say of the processor, on CUDA of the GPU, whose power is measured too where the driver counts energy.
void describe_host(int pinned_processors, Jobs& jobs) {
  for (Measurement& row : jobs.rows) {
    row.device = hwmodels::processor_name();
    row.notes = hwmodels::machine_notes(pinned_processors);
  }
}
void describe_gpu(double seconds, Jobs& jobs) {
  const std::optional<hwmodels::NvmlDevice> gpu = hwmodels::NvmlDevice::open();
  for (std::size_t i = 0; i < jobs.rows.size(); ++i) {
    Measurement& row = jobs.rows[i];
    row.device = gpu ? gpu->name() : "cuda";
    if (!gpu) continue;
    row.power_w = hwmodels::average_power_w([&gpu] { return gpu->energy_j(); }, jobs.work[i], seconds);
    if (const std::optional<unsigned> mhz = gpu->clock_mhz()) row.notes = "clock " + std::to_string(*mhz) + " MHz";
  }
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
  for (std::size_t i = 0; i < timings.size(); ++i) jobs.rows[i].timing = timings[i];
  if (options.device == ProfiledDevice::kCuda) {
    describe_gpu(options.seconds, jobs);
  } else {
    describe_host(pinned, jobs);
  }
  return std::move(jobs.rows);
}

std::vector<LayerShape> profiled_layers(const ProfileOptions& options) {
  return JobMaker(options).shapes();
}

}  // namespace lathe::experiments

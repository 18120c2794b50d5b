// This machine's CPU under ONNX Runtime, measured while the section runs: networks as they are and under policies, float and int8.
// Networks whose latency is predicted were not among the 20 measurements of the calibration.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "experiments/profile/timed_networks.h"
#include "hwmodels/calibration/parameter_fit.h"
#include "hwmodels/hardware_model.h"
#include "hwmodels/profiling/machine_state.h"
#include "hwmodels/profiling/onnx_runtime.h"
#include "hwmodels/profiling/timing.h"
#include "models/base/error.h"
#include "models/base/rng.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "policies/search_space.h"

namespace lathe::bench {
namespace {

constexpr int kMeasurements = 20, kDraws = 5;
constexpr int kPoliciesOfEachKind = 3;  // a network, in float and in int8
// Others keep the machine busy: processor time of the one thread, and of many runs the tenth percentile, since company in the caches only
// ever slows a run down.
constexpr hwmodels::TimingOptions kTiming{.source = hwmodels::TimeSource::kCallingThread, .warm_up_s = 0.1, .rounds = 25, .burst_s = 0.02};

struct Variant {
  std::string network;
  bool is_int8 = false;
  hwmodels::LatencyMeasurement measured;
  double spread = 0;  // (p90 - p10) / median
};

policies::Policy random_policy(const models::Network& network, const policies::CouplingAnalysis& analysis, bool is_int8, bool is_pruned,
                               int granularity, Rng& rng) {
  policies::Policy policy;
  for (const policies::CouplingGroup& group : analysis.groups) {
    if (!is_pruned || !group.prunable) continue;
    // As a search for this device would: multiples of its granularity.
    const std::int64_t granules =
        std::max<std::int64_t>(1, std::lround(static_cast<double>(group.channels) * rng.uniform(0.3, 1.0) / granularity));
    const std::int64_t channels = std::min(group.channels, granules * granularity);
    policy.groups.push_back(
        {.name = group.name, .keep_ratio = static_cast<double>(channels) / static_cast<double>(group.channels), .channels = channels});
  }
  for (const policies::LayerInfo& layer : policies::describe_layers(network)) {
    if (!is_int8 || !layer.quantizable) continue;
    policy.layers.push_back(
        {.name = layer.name, .weight_bits = 8, .weight_format = "int", .activation_bits = 8, .activation_format = "int"});
  }
  return policy;
}

// Variants without their latencies, and the jobs that will give them.
struct Jobs {
  std::vector<Variant> variants;
  std::vector<std::function<void()>> work;
};

void add_network(const std::string& file, const hwmodels::OnnxRuntime& runtime, int granularity, Jobs& jobs) {
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(file));
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::WorkloadBuilder builder(network, analysis, /*batch=*/1);
  for (const bool is_int8 : {false, true}) {
    for (int number = 0; number <= kPoliciesOfEachKind; ++number) {
      Rng rng(0, "host cpu " + network.name + (is_int8 ? " int8" : " float"), static_cast<std::uint64_t>(number));
      const policies::Policy policy = random_policy(network, analysis, is_int8, /*is_pruned=*/number > 0, granularity, rng);
      Variant variant{.network = network.name, .is_int8 = is_int8};
      variant.measured.workload = policies::workload_of(builder, network, analysis, policy);
      jobs.work.push_back(runtime.make_job(models::serialize_onnx(experiments::timed_network(network, policy)), {.label = file}));
      jobs.variants.push_back(std::move(variant));
    }
  }
}

std::vector<Variant> measure(const std::vector<std::string>& files, const hwmodels::OnnxRuntime& runtime, int granularity) {
  hwmodels::pin_to_processors(1);
  Jobs jobs;
  for (const std::string& file : files) add_network(file, runtime, granularity, jobs);
  const std::vector<hwmodels::Timing> timings = hwmodels::time_jobs(jobs.work, kTiming);
  for (std::size_t i = 0; i < timings.size(); ++i) {
    jobs.variants[i].measured.latency_ms = timings[i].p10_ms;
    jobs.variants[i].spread = (timings[i].p90_ms - timings[i].p10_ms) / timings[i].median_ms;
  }
  return std::move(jobs.variants);
}

hwmodels::ParameterFitOptions fit_options() {
  hwmodels::ParameterFitOptions options;
  for (const char* key : {"fp32_efficiency", "int8_efficiency", "fp32_depthwise_efficiency", "int8_depthwise_efficiency", "tile_overhead_k",
                          "cache_bytes_per_s", "int8_elements_per_s", "op_overhead_s", "int8_op_overhead_s"}) {
    options.parameters.push_back({key, 0.7});
  }
  return options;
}

using Pool = std::vector<const Variant*>;

std::vector<double> errors_of(const Pool& seen, const Pool& unseen, const hwmodels::DeviceSpec& device) {
  std::vector<hwmodels::LatencyMeasurement> measured;
  for (const Variant* variant : seen) measured.push_back(variant->measured);
  const auto model =
      hwmodels::make_hardware_model(measured.empty() ? device : hwmodels::fit_parameters(device, measured, fit_options()).device);
  std::vector<double> errors;
  for (const Variant* variant : unseen) {
    errors.push_back(std::abs(model->predict(variant->measured.workload).latency_ms / variant->measured.latency_ms - 1));
  }
  return errors;
}

// Each draw calibrates on the first 20 of a shuffled pool and predicts `unseen`, or the rest of the pool where that is empty.
std::vector<double> drawn_errors(const Pool& pool, const Pool& unseen, const std::string& purpose, const hwmodels::DeviceSpec& device) {
  std::vector<double> errors;
  for (int number = 0; number < kDraws; ++number) {
    Pool shuffled = pool;
    Rng rng(0, purpose, static_cast<std::uint64_t>(number));
    rng.shuffle(shuffled);
    const auto middle = shuffled.begin() + std::min<std::ptrdiff_t>(kMeasurements, static_cast<std::ptrdiff_t>(shuffled.size()));
    const Pool rest(middle, shuffled.end());
    for (const double error : errors_of({shuffled.begin(), middle}, unseen.empty() ? rest : unseen, device)) errors.push_back(error);
  }
  return errors;
}

TruthRow row_of(const std::string& device, const std::string& protocol, const std::vector<double>& errors) {
  return {
      .dataset = "host CPU", .device = device, .protocol = protocol, .metrics = {{"median error %", 100 * measurements::median(errors)}}};
}

std::vector<std::string> model_files(const std::filesystem::path& source) {
  std::vector<std::string> files{(source / "configs/models/fashion_resnet.onnx").string()};
  const std::filesystem::path models = std::filesystem::path(measurements::measurement_folder()).parent_path() / "models";
  for (const char* name : {"resnet20_cifar10.onnx", "resnet56_cifar10.onnx", "efficientnet_lite0.onnx"}) {
    if (std::filesystem::exists(models / name)) files.push_back((models / name).string());
  }
  return files;
}

void add_rows(const std::vector<Variant>& variants, const hwmodels::DeviceSpec& device, SectionResult& result) {
  Pool all;
  std::map<std::string, Pool> by_network;
  for (const Variant& variant : variants) {
    all.push_back(&variant);
    by_network[variant.network].push_back(&variant);
  }
  result.rows.push_back(row_of(hwmodels::processor_name(), "no measurement", errors_of({}, all, device)));
  const std::vector<double> of_policies = drawn_errors(all, {}, "host cpu policies", device);
  result.rows.push_back(row_of(hwmodels::processor_name(), "20 measurements, other policies", of_policies));
  std::vector<double> of_networks;
  for (const auto& [network, unseen] : by_network) {
    Pool pool;
    std::copy_if(all.begin(), all.end(), std::back_inserter(pool), [&](const Variant* variant) { return variant->network != network; });
    const std::vector<double> errors = drawn_errors(pool, unseen, "host cpu without " + network, device);
    result.rows.push_back(row_of(network, "20 measurements of other networks", errors));
    of_networks.insert(of_networks.end(), errors.begin(), errors.end());
  }
  result.rows.push_back(row_of("all networks", "20 measurements of other networks", of_networks));
  const double policy_error = 100 * measurements::median(of_policies);
  result.claims = {{"host CPU: median error %, policies unseen, 20 measurements", policy_error, Claim::Bound::kAtMost, 10}};
  result.means = {{"policy error %", policy_error}, {"network error %", 100 * measurements::median(of_networks)}};
}

}  // namespace

SectionResult host_cpu(const DataFolder&) {
  try {
    const hwmodels::OnnxRuntime runtime;
    const hwmodels::DeviceSpec device = hwmodels::load_device("x86-avx512");
    const std::vector<Variant> variants = measure(model_files(LATHE_SOURCE_DIR), runtime, device.capabilities.channel_granularity);
    SectionResult result;
    add_rows(variants, device, result);
    std::vector<double> spreads;
    for (const Variant& variant : variants) spreads.push_back(100 * variant.spread);
    result.notes.push_back("ONNX Runtime " + runtime.version() + ", one thread, batch 1; " + hwmodels::machine_notes(1) +
                           "; spread of a variant's runs (p90 - p10) over their median: " +
                           std::to_string(std::lround(measurements::median(spreads))) + " % (median)");
    return result;
  } catch (const UserError& error) {
    throw MissingData(error.what());
  }
}

}  // namespace lathe::bench

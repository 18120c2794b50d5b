// Policies a second of the scorer, ResNet-56 on CIFAR-10 images, joint ratios and widths of each device. One thread; rates are by CPU time.
//   build/dev/bench/policy_scorer_benchmark --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <map>
#include <span>

#include "hwmodels/policy_scorer.h"
#include "tests/hwmodels/sketched_resnet.h"

namespace lathe::hwmodels {
namespace {

constexpr int kBlocks = 9;         // ResNet-56
constexpr int kCandidates = 1024;  // random, so that no look-up can be foreseen
constexpr int kUnseen = 1000;      // candidates that are scored once

struct Setting {
  explicit Setting(const char* device)
      : c(sketched_resnet(kBlocks), {device}, {}), model(make_hardware_model(load_device(device))), scorer(c.builder, c.space, *model) {
    Rng rng(1, "benchmark");
    for (int i = 0; i < kCandidates; ++i) candidates.push_back(c.random_candidate(rng));
  }
  ScorerCase c;
  std::unique_ptr<HardwareModel> model;
  PolicyScorer scorer;
  std::vector<policies::Candidate> candidates;
};

// Made once a device; all candidates have been scored once, so that a dataflow pipeline has prepared its stages.
const Setting& warm_setting(const char* device) {
  static std::map<std::string, std::unique_ptr<Setting>> known;
  std::unique_ptr<Setting>& setting = known[device];
  if (!setting) {
    setting = std::make_unique<Setting>(device);
    for (const policies::Candidate& candidate : setting->candidates) benchmark::DoNotOptimize(setting->scorer.score(candidate));
  }
  return *setting;
}

template <typename Score>
void run(benchmark::State& state, const Setting& setting, const Score& score) {
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(score(setting.candidates[next]));
    next = (next + 1) % setting.candidates.size();
  }
  state.counters["policies/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void latency_and_energy(benchmark::State& state, const char* device) {
  const Setting& setting = warm_setting(device);
  run(state, setting, [&](const policies::Candidate& candidate) { return setting.scorer.score_cost(candidate); });
}

// 64 policies a call.
void latency_and_energy_of_many(benchmark::State& state, const char* device) {
  constexpr std::size_t kAtATime = 64;
  const Setting& setting = warm_setting(device);
  std::vector<DeviceScore> scores(kAtATime);
  std::size_t first = 0;
  for (auto _ : state) {
    setting.scorer.score_costs(std::span(setting.candidates).subspan(first, kAtATime), scores);
    benchmark::DoNotOptimize(scores.data());
    first = (first + kAtATime) % kCandidates;
  }
  state.counters["policies/s"] = benchmark::Counter(static_cast<double>(state.iterations() * kAtATime), benchmark::Counter::kIsRate);
}

void with_peak_memory(benchmark::State& state, const char* device) {
  const Setting& setting = warm_setting(device);
  run(state, setting, [&](const policies::Candidate& candidate) { return setting.scorer.score(candidate); });
}

// Candidates that a scorer has never seen, after as many others as the argument says: with none, most stages are prepared while it
// scores.
void unseen(benchmark::State& state, const char* device) {
  Setting setting(device);
  Rng rng(2, "unseen");
  for (std::int64_t i = 0; i < state.range(0); ++i) benchmark::DoNotOptimize(setting.scorer.score(setting.c.random_candidate(rng)));
  while (setting.candidates.size() < kUnseen) setting.candidates.push_back(setting.c.random_candidate(rng));
  run(state, setting, [&](const policies::Candidate& candidate) { return setting.scorer.score(candidate); });
}

// The same without tables, for comparison.
void predict(benchmark::State& state, const char* device) {
  const Setting& setting = warm_setting(device);
  run(state, setting, [&](const policies::Candidate& candidate) {
    return setting.model->predict(policies::workload_of(setting.c.builder, setting.c.space, candidate)).latency_ms;
  });
}

void make_tables(benchmark::State& state, const char* device) {
  const Setting& setting = warm_setting(device);
  for (auto _ : state) benchmark::DoNotOptimize(PolicyScorer(setting.c.builder, setting.c.space, *setting.model));
}

BENCHMARK_CAPTURE(latency_and_energy, arm, "raspberry-pi-4");
BENCHMARK_CAPTURE(latency_and_energy, gpu, "nvidia-t4");
BENCHMARK_CAPTURE(latency_and_energy, dpu, "xilinx-zcu102-dpu");
BENCHMARK_CAPTURE(latency_and_energy, bit_serial, "bismo-pynq-z1");
BENCHMARK_CAPTURE(latency_and_energy_of_many, arm, "raspberry-pi-4");
BENCHMARK_CAPTURE(latency_and_energy_of_many, gpu, "nvidia-t4");
BENCHMARK_CAPTURE(latency_and_energy_of_many, dpu, "xilinx-zcu102-dpu");
BENCHMARK_CAPTURE(latency_and_energy_of_many, bit_serial, "bismo-pynq-z1");
BENCHMARK_CAPTURE(with_peak_memory, arm, "raspberry-pi-4");
BENCHMARK_CAPTURE(with_peak_memory, gpu, "nvidia-t4");
BENCHMARK_CAPTURE(with_peak_memory, dataflow, "finn-zcu104")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unseen, dataflow, "finn-zcu104")->Unit(benchmark::kMicrosecond)->Iterations(kUnseen)->Arg(0)->Arg(4096)->Arg(32768);
BENCHMARK_CAPTURE(predict, arm, "raspberry-pi-4")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(make_tables, arm, "raspberry-pi-4")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_tables, gpu, "nvidia-t4")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_tables, bit_serial, "bismo-pynq-z1")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_tables, dataflow, "finn-zcu104")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lathe::hwmodels

BENCHMARK_MAIN();

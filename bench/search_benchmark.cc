// Time of the search's own work: a step of Bayesian optimization, insertion into the archive, hypervolume.
//   build/dev/bench/search_benchmark [--benchmark_format=json]; bench/search_peers.py step|archive runs it beside its peers.
#include <benchmark/benchmark.h>

#include <cmath>
#include <numbers>

#include "models/base/rng.h"
#include "search/agent.h"
#include "search/pareto_archive.h"
#include "search/quasi_random/quasi_random.h"
#include "search/standard_problems.h"

namespace {

using namespace lathe::search;

// Mutually non-dominated: uniform directions in the positive orthant, at distance 1 from the origin turned inside out (minimized).
std::vector<Point> sphere_points(int count, std::size_t objectives) {
  lathe::Rng rng(1, "sphere_points");
  std::vector<Point> points;
  for (int i = 0; i < count; ++i) {
    Point p;
    double square = 0;
    for (std::size_t k = 0; k < objectives; ++k) {
      p.push_back(std::abs(rng.normal()));
      square += p.back() * p.back();
    }
    for (double& v : p) v /= std::sqrt(square);
    points.push_back(std::move(p));
  }
  return points;
}

ParetoArchive filled(const std::vector<Point>& points) {
  ParetoArchive archive(points.front().size());
  for (std::size_t i = 0; i < points.size(); ++i) archive.insert(points[i], static_cast<std::int64_t>(i));
  return archive;
}

// All members one after the other into an empty archive. Arguments: members, objectives.
void ArchiveBuild(benchmark::State& state) {
  const std::vector<Point> points = sphere_points(static_cast<int>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) benchmark::DoNotOptimize(filled(points).size());
  state.counters["insertions/s"] = benchmark::Counter(static_cast<double>(points.size()), benchmark::Counter::kIsIterationInvariantRate);
}

// One point more, which then dominates nothing, into the full archive, and the hypervolume anew.
void ArchiveInsertAndHypervolume(benchmark::State& state) {
  const auto objectives = static_cast<std::size_t>(state.range(1));
  const std::vector<Point> points = sphere_points(static_cast<int>(state.range(0)) + 1, objectives);
  const ParetoArchive archive = filled({points.begin(), points.end() - 1});
  const Point reference(objectives, 1.1);
  for (auto _ : state) {
    state.PauseTiming();
    ParetoArchive copy = archive;
    state.ResumeTiming();
    copy.insert(points.back(), state.range(0));
    benchmark::DoNotOptimize(copy.hypervolume(reference));
  }
}

void Hypervolume(benchmark::State& state) {
  const auto objectives = static_cast<std::size_t>(state.range(1));
  const std::vector<Point> points = sphere_points(static_cast<int>(state.range(0)), objectives);
  for (auto _ : state) benchmark::DoNotOptimize(hypervolume(points, Point(objectives, 1.1)));
}

// Told all observations at once, so that everything is fitted, then asked for one point: two measured objectives (DTLZ2). Arguments:
// observations, variables.
void BayesStep(benchmark::State& state) {
  const StandardProblem made = make_standard_problem("dtlz2", {.dims = static_cast<int>(state.range(1)), .objectives = 2});
  CandidateStream stream(made.problem, lathe::Rng(1, "bayes_step"));
  std::vector<Trial> trials;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const lathe::policies::Candidate candidate = *stream.next();
    trials.push_back({.id = i, .agent = "", .candidate = candidate, .metrics = {made.measured(candidate), made.further(candidate)[0]}});
  }
  for (auto _ : state) {
    const std::unique_ptr<Agent> agent = make_agent({"bayes", "", {}}, made.problem, /*seed=*/1);
    agent->tell(trials);
    benchmark::DoNotOptimize(agent->ask(1, {}));
  }
}

BENCHMARK(ArchiveBuild)->Args({10000, 2})->Args({10000, 3})->Args({10000, 4})->Unit(benchmark::kMillisecond);
BENCHMARK(ArchiveInsertAndHypervolume)->Args({10000, 2})->Args({10000, 3})->Unit(benchmark::kMillisecond);
BENCHMARK(Hypervolume)->Args({10000, 2})->Args({10000, 3})->Args({500, 4})->Args({200, 5})->Args({100, 6})->Unit(benchmark::kMillisecond);
BENCHMARK(BayesStep)->Args({300, 40})->Args({100, 30})->Args({100, 6})->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();

#include "experiments/sweep/sweep_directory.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/config/config.h"
#include "experiments/run_directory.h"
#include "models/base/error.h"

namespace lathe::experiments {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Axis, keys, points)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LocalOptions, jobs, threads, memory_mb)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MpiOptions, ranks, command)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SlurmOptions, partition, account, qos, constraint, gres, time, memory, dependency, cpus, max_running,
                                   requeue, signal_seconds, report, setup, options)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SweepFile, file, config, settings, axes, compare, output, attempts, share_accuracies, local, mpi, slurm)

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "lathe.sweep";
constexpr int kVersion = 1;

std::string index_of(const std::string& path) {
  return path + "/sweep.json";
}

json read_index(const std::string& path) {
  std::ifstream file(index_of(path));
  if (!file) throw UserError(Fault{.file = path, .expected = "expected the folder of a sweep (it has no sweep.json)"});
  json index = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (index.is_discarded() || index.value("format", "") != kFormat)
    throw UserError(Fault{.file = index_of(path), .expected = "expected the index of a sweep"});
  if (index.value("version", 0) != kVersion)
    throw UserError(
        Fault{.file = index_of(path), .expected = "expected version " + std::to_string(kVersion), .got = index["version"].dump()});
  return index;
}

}  // namespace

std::string task_name(int number) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04d", number);
  return text.data();
}

bool SweepDirectory::is_one(const std::string& path) {
  return fs::is_regular_file(index_of(path));
}

SweepDirectory::SweepDirectory(const SweepFile& file, bool is_resumed)
    : path_(fs::absolute(file.output).lexically_normal().string()), file_(file), plan_(expand(file)) {
  if (is_one(path_)) {
    if (!is_resumed)
      throw UserError(Fault{.file = path_, .expected = "holds a sweep already; use --resume to go on with it, or --out for another place"});
    const json index = read_index(path_);
    const SweepFile stored = index["sweep"].get<SweepFile>();
    if (stored.axes != file_.axes || stored.settings != file_.settings || stored.config != file_.config)
      throw UserError(
          Fault{.file = path_, .expected = "holds the sweep of another file (other axes, 'set' or config); use --out for a new one"});
    wanted_trials_ = index["trials"].get<std::vector<int>>();
  } else {
    RunDirectory::check(path_, is_resumed);
    write_tasks();
  }
  write_index();
}

SweepDirectory::SweepDirectory(const std::string& path) : path_(fs::absolute(path).lexically_normal().string()) {
  const json index = read_index(path_);
  file_ = index["sweep"].get<SweepFile>();
  plan_ = expand(file_);
  wanted_trials_ = index["trials"].get<std::vector<int>>();
}

std::string SweepDirectory::task(int number) const {
  return path_ + "/tasks/" + task_name(number);
}

void SweepDirectory::write_tasks() {
  for (const SweepTask& task : plan_.tasks) {
    std::vector<std::string> overrides = file_.settings;
    for (const std::string& text : overrides_of(plan_, task)) overrides.push_back(text);
    overrides.push_back("output=" + run(task.number));
    if (file_.share_accuracies) overrides.push_back("evaluator.cache=" + path_ + "/cache");
    ExperimentConfig config;
    try {
      config = load_config(file_.config, overrides);
    } catch (const UserError& error) {
      std::vector<Fault> faults;
      for (const Fault& fault : error.faults())
        faults.push_back({.file = file_.file, .key = "search " + std::to_string(task.number), .expected = to_string(fault)});
      throw UserError(faults);
    }
    make_writable_folder(this->task(task.number));
    write_atomically(this->config(task.number), to_yaml(config));
    wanted_trials_.push_back(config.search.trials);
  }
}

void SweepDirectory::write_index() const {
  const json index{{"format", kFormat}, {"version", kVersion}, {"sweep", file_}, {"trials", wanted_trials_}};
  write_atomically(index_of(path_), index.dump(1) + "\n");
}

}  // namespace lathe::experiments

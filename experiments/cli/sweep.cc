#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "experiments/cli/command.h"
#include "experiments/interruption.h"
#include "experiments/launchers/local_launcher.h"
#include "experiments/launchers/slurm_launcher.h"
#include "experiments/sweep/sweep_directory.h"
#include "experiments/sweep/task_status.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::cli {
namespace {

using experiments::SweepDirectory;
using experiments::TaskState;

// sysexits.h's EX_TEMPFAIL: what a job script takes as "put me into the queue again".
constexpr int kStoppedExit = 75;

struct Options {
  std::string sweep, launcher = "local", output;
  std::vector<std::string> retried;
  std::optional<int> task, jobs, threads;
  bool is_resumed = false, is_dry = false;
};

experiments::SweepFile read_file(const Options& options) {
  experiments::SweepFile file = experiments::read_sweep_file(options.sweep);
  if (!options.output.empty()) file.output = options.output;
  return file;
}

// A folder stands for the sweep that is in it.
SweepDirectory directory_of(const Options& options) {
  if (SweepDirectory::is_one(options.sweep)) return SweepDirectory(options.sweep);
  return SweepDirectory(read_file(options), options.is_resumed || !options.retried.empty());
}

// --retry NUMBER or failed: forgets how they ended.
std::vector<int> forget_failures(const SweepDirectory& sweep, const std::vector<std::string>& retried) {
  std::vector<int> tasks;
  for (const experiments::TaskStatus& task : experiments::task_statuses(sweep)) {
    const bool is_named = std::any_of(retried.begin(), retried.end(), [&](const std::string& word) {
      return word == std::to_string(task.number) || word == experiments::task_name(task.number);
    });
    const bool is_failed = task.state == TaskState::kFailed;
    if (is_named && !is_failed)
      throw UserError("search " + experiments::task_name(task.number) + " is " + to_string(task.state) + "; only failed ones are retried");
    if (!is_failed || (!is_named && std::find(retried.begin(), retried.end(), "failed") == retried.end())) continue;
    ::unlink(sweep.outcome(task.number).c_str());
    tasks.push_back(task.number);
  }
  if (tasks.empty()) throw UserError("--retry: no search of that number has failed (lathe status shows them)");
  return tasks;
}

std::vector<int> tasks_to_run(const SweepDirectory& sweep) {
  std::vector<int> tasks;
  for (const experiments::TaskStatus& task : experiments::task_statuses(sweep))
    if (task.state == TaskState::kLeft || task.state == TaskState::kStopped) tasks.push_back(task.number);
  return tasks;
}

experiments::LocalLaunch local_plan(const SweepDirectory& sweep, const Options& options, std::vector<int> tasks) {
  experiments::LocalOptions local = sweep.file().local;
  if (options.launcher == "mpi") local = {.jobs = 1, .threads = 1};
  if (options.jobs) local.jobs = *options.jobs;
  if (options.threads) local.threads = *options.threads;
  experiments::LocalLaunch launch =
      experiments::plan_launch(local, std::move(tasks), experiments::processors_here(), experiments::free_memory_mb_here());
  if (options.launcher == "mpi") {
    launch.prefix = sweep.file().mpi.command;
    launch.prefix.insert(launch.prefix.end(), {"-n", std::to_string(sweep.file().mpi.ranks)});
  }
  return launch;
}

int run_here(const SweepDirectory& sweep, const experiments::LocalLaunch& launch) {
  experiments::watch_for_interruption();
  experiments::Progress progress(std::cerr, experiments::Progress::fitting_style());
  const experiments::LaunchSummary summary = experiments::launch_locally(sweep, launch, progress);
  std::cerr << summary.done << " done, " << summary.failed << " failed, " << summary.stopped << " stopped"
            << (summary.elsewhere > 0 ? ", " + std::to_string(summary.elsewhere) + " at work elsewhere" : "") << '\n';
  if (summary.failed > 0)
    std::cerr << "lathe status " << sweep.path() << " shows why; lathe sweep " << sweep.path() << " --retry failed tries again\n";
  if (summary.elsewhere > 0) return kStoppedExit;
  if (summary.stopped > 0) {
    std::cerr << "stopped; all finished trials are kept. To go on: lathe sweep " << sweep.path() << '\n';
    return kStoppedExit;
  }
  return summary.failed > 0 ? 1 : 0;
}

// What a job of an array does. One that is requeued may find its search done, or a process of its former node still at it.
int run_task(const SweepDirectory& sweep, const Options& options) {
  const int number = *options.task, count = static_cast<int>(sweep.plan().tasks.size());
  if (number < 0 || number >= count) throw UserError("--task: the sweep has searches 0 to " + std::to_string(count - 1));
  if (experiments::task_status(sweep, number).state == TaskState::kDone) return 0;
  return run_here(sweep, local_plan(sweep, options, {number}));
}

int submit(const SweepDirectory& sweep, const std::vector<int>& tasks) {
  const std::string job = experiments::submit_slurm_array(sweep, tasks);
  std::cout << job << std::endl;
  std::cerr << tasks.size() << " searches submitted as job " << job << " (" << experiments::slurm_script_path(sweep) << "); lathe status "
            << sweep.path() << " --watch\n";
  return 0;
}

int show_plan(const Options& options) {
  const experiments::SweepFile file = SweepDirectory::is_one(options.sweep) ? SweepDirectory(options.sweep).file() : read_file(options);
  const experiments::SweepPlan plan = experiments::expand(file);
  for (const experiments::SweepTask& task : plan.tasks)
    std::cout << experiments::task_name(task.number) << "  " << experiments::describe(plan, task) << '\n';
  if (options.launcher == "slurm") {
    std::vector<int> numbers;
    for (const experiments::SweepTask& task : plan.tasks) numbers.push_back(task.number);
    std::cout << '\n' << experiments::slurm_script(file, numbers);
  }
  std::cout.flush();
  return 0;
}

int sweep(const Options& options) {
  if (options.is_dry) return show_plan(options);
  const SweepDirectory directory = directory_of(options);
  if (options.task) return run_task(directory, options);
  const std::vector<int> tasks = options.retried.empty() ? tasks_to_run(directory) : forget_failures(directory, options.retried);
  if (tasks.empty()) {
    std::cerr << "nothing is left to do; lathe status " << directory.path() << '\n';
    return 0;
  }
  if (options.launcher == "slurm") return submit(directory, tasks);
  const experiments::LocalLaunch launch = local_plan(directory, options, tasks);
  std::cerr << tasks.size() << " searches in " << directory.path() << ", " << launch.jobs << " at once, threads of each: " << launch.threads
            << '\n';
  return run_here(directory, launch);
}

}  // namespace

void add_sweep(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "sweep", "Run many searches: every combination of a sweep file's axes",
                                  "lathe sweep configs/sweeps/agents.yaml --out runs/agents\n"
                                  "  lathe sweep configs/sweeps/agents.yaml --launcher slurm --dry-run\n"
                                  "  lathe sweep runs/agents --retry 7");
  command->add_option("SWEEP", options->sweep, "Sweep file (YAML), or the folder of a sweep to go on with")->required();
  command->add_option("--launcher", options->launcher, "Where the searches run: as processes here, each under mpirun, or as a Slurm array")
      ->check(CLI::IsMember({"local", "mpi", "slurm"}))
      ->capture_default_str();
  command->add_option("--out", options->output, "Folder of the sweep (else the file's `output`)");
  command->add_flag("--dry-run", options->is_dry, "Show the searches (and the Slurm script), do nothing");
  command->add_flag("--resume", options->is_resumed, "Go on with the sweep in that folder");
  command->add_option("--retry", options->retried, "Run again what failed: a search's number, as often as wanted, or 'failed' for all")
      ->allow_extra_args(false);
  command->add_option("--jobs", options->jobs, "Searches at once (else the file's `local.jobs`)")->check(CLI::PositiveNumber);
  command->add_option("--threads", options->threads, "Threads of each search")->check(CLI::PositiveNumber);
  command->add_option("--task", options->task, "Run one search here; what the jobs of an array call. Exit status 75: stopped, call again");
  command->callback([&action, options] { action = [options] { return sweep(*options); }; });
}

}  // namespace lathe::cli

#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"
#include "experiments/interruption.h"
#include "experiments/sweep/sweep_status.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string path;
  bool watches = false, is_long = false, wants_json = false;
};

experiments::SweepStatus look(const std::string& path) {
  using experiments::SweepDirectory;
  return SweepDirectory::is_one(path) ? experiments::sweep_status(SweepDirectory(path)) : experiments::run_status(path);
}

int status(const Options& options) {
  constexpr unsigned kMicroseconds = 2000000;
  constexpr const char* kClear = "\033[H\033[J";
  if (options.watches) experiments::watch_for_interruption();
  for (;;) {
    const experiments::SweepStatus now = look(options.path);
    if (options.wants_json) {
      print_json(experiments::status_json(now));
    } else {
      std::cout << (options.watches && isatty(STDOUT_FILENO) ? kClear : "") << experiments::status_text(now, options.is_long) << std::flush;
    }
    using experiments::TaskState;
    const bool is_over = now.count(TaskState::kDone) + now.count(TaskState::kFailed) == static_cast<int>(now.tasks.size());
    if (!options.watches || is_over || experiments::is_interrupted()) return 0;
    usleep(kMicroseconds);
  }
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, "status", "Show what is done, running, failed and left of a sweep or a run", "lathe status runs/sweep --watch");
  command->add_option("DIR", options->path, "Folder of a sweep, or of a run")->required();
  command->add_flag("--watch", options->watches, "Look again every two seconds until all is done");
  command->add_flag("--all", options->is_long, "One line for every search, not only for those that run, stopped or failed");
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return status(*options); }; });
}

}  // namespace lathe::cli

#include "experiments/sweep/merge.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"

namespace lathe::cli {
namespace {

struct Options {
  std::vector<std::string> directories;
  std::string output;
  bool wants_json = false;
};

int merge(const Options& options) {
  const experiments::MergeSummary summary = experiments::merge_runs(options.directories, options.output);
  if (options.wants_json)
    print_json({{"runs", summary.runs}, {"trials", summary.trials}, {"added", summary.added}});
  else
    std::cerr << summary.runs << " runs with " << summary.trials << " trials, " << summary.added << " of them new in " << options.output
              << '\n';
  return 0;
}

}  // namespace

void add_merge(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "merge", "Put the trials of many runs into one folder, each once, and find the best over all",
                                  "lathe merge runs/monday runs/tuesday --out runs/all");
  command->add_option("DIR", options->directories, "Folders of runs, sweeps or earlier merges")->required();
  command->add_option("--out", options->output, "Folder of the merge; one that exists is added to")->required();
  command->add_flag("--json", options->wants_json, "Counts as JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return merge(*options); }; });
}

}  // namespace lathe::cli

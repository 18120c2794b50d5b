#include "experiments/report.h"

#include <iostream>
#include <memory>

#include "experiments/cli/command.h"
#include "experiments/run_directory.h"
#include "experiments/sweep/sweep_report.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string run, output, compared;
};

int report(const Options& options) {
  if (experiments::is_many_runs(options.run)) {
    std::cerr << "report: " << experiments::write_sweep_report(options.run, options.output, options.compared) << "/report.html\n";
    return 0;
  }
  const std::string output = options.output.empty() ? options.run + "/report.html" : options.output;
  experiments::write_atomically(output, experiments::report_of_run(options.run));
  std::cerr << "report: " << output << '\n';
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "report", "Write the report of a finished run, or of the runs of a sweep or a merge",
                                  "lathe report runs/quickstart --out quickstart.html\n  lathe report runs/sweep --compare search.agents");
  command->add_option("RUN_DIR", options->run, "Folder of a run, a sweep or a merge")->required();
  command->add_option("--out", options->output, "HTML file (else report.html in the run directory); folder for a sweep (else its report/)");
  command->add_option("--compare", options->compared, "Of a sweep: the key of the config whose values are compared");
  command->callback([&action, options] { action = [options] { return report(*options); }; });
}

}  // namespace lathe::cli

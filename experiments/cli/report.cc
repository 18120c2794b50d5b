#include "experiments/report.h"

#include <iostream>
#include <memory>

#include "experiments/cli/command.h"
#include "experiments/run_directory.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string run, output;
};

int report(const Options& options) {
  const std::string output = options.output.empty() ? options.run + "/report.html" : options.output;
  experiments::write_atomically(output, experiments::report_of_run(options.run));
  std::cerr << "report: " << output << '\n';
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, "report", "Write the HTML report of a finished run", "lathe report runs/quickstart --out quickstart.html");
  command->add_option("RUN_DIR", options->run, "Run directory")->required();
  command->add_option("--out", options->output, "HTML file (else report.html in the run directory)");
  command->callback([&action, options] { action = [options] { return report(*options); }; });
}

}  // namespace lathe::cli

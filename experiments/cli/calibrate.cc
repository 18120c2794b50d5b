#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/calibration_run.h"
#include "experiments/cli/command.h"

namespace lathe::cli {
namespace {

struct Options {
  experiments::CalibrationJob job;
  bool wants_json = false;
};

int calibrate(const Options& options) {
  const experiments::CalibrationReport report = experiments::calibrate(options.job);
  if (options.wants_json)
    print_json(experiments::calibration_json(report));
  else
    std::cout << experiments::calibration_text(report);
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "calibrate", "Fit a device's numbers to measured networks, with standard errors and error bars",
                                  "lathe calibrate --device raspberry-pi-4 --measurements pi.csv --out my-pi.yaml");
  command->add_option("--device", options->job.device, "Name (see `lathe devices`) or file to start from")->required();
  command->add_option("--measurements", options->job.measurements, "CSV file, as `lathe profile` writes it")->required();
  command->add_option("--out", options->job.out, "Device file to write")->required();
  command->add_option("--propose", options->job.proposals, "Name this many networks to measure next, of the rows without a latency")
      ->check(CLI::Range(0, 65536));
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return calibrate(*options); }; });
}

}  // namespace lathe::cli

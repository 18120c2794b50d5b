#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"
#include "experiments/cli/log.h"
#include "experiments/policy_export.h"
#include "models/base/error.h"

namespace lathe::cli {
namespace {

struct Options {
  experiments::ExportRequest request;
  bool lists = false, wants_json = false;
};

int list_formats(const Options& options) {
  if (options.wants_json)
    print_json(experiments::export_formats_json());
  else
    std::cout << experiments::export_formats_text();
  return 0;
}

int export_one(const Options& options) {
  const experiments::ExportRequest& request = options.request;
  if (request.source.empty() || request.format.empty() || request.output.empty())
    throw UserError(
        "export needs a run directory or policy file, --format and --out, or --list (lathe export --help shows how it is used)");
  const experiments::ExportOutcome outcome = experiments::export_policy(request);
  for (const std::string& note : outcome.notes) log_warning(note);
  if (options.wants_json) {
    print_json({{"files", outcome.files}, {"notes", outcome.notes}});
  } else {
    for (const std::string& file : outcome.files) std::cerr << "written: " << file << '\n';
  }
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "export", "Write a policy, or the network that it makes, in another tool's format",
                                  "lathe export runs/quickstart --policy 1 --format qonnx --out small.qonnx");
  experiments::ExportRequest& request = options->request;
  command->add_option("SOURCE", request.source, "Run directory, folder that `lathe compress` wrote, or policy file");
  command->add_option("--format", request.format, "Name of the format (see --list)");
  command->add_option("--out", request.output, "File to write");
  command->add_option("--policy", request.policy, "Number of a run directory's policy; the recommended one without it")
      ->check(CLI::Range(1, 999));
  command->add_option("--model", request.model, "ONNX file that the policy is of; the run's own without it");
  command->add_flag("--list", options->lists, "Show all formats, what opens them, what they carry and what they lose");
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return options->lists ? list_formats(*options) : export_one(*options); }; });
}

}  // namespace lathe::cli

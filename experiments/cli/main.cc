// The `lathe` program: parses the command line, runs one command, and turns faults into one line each and an exit status
// (0 done, 1 the work failed, 2 the user's input is wrong).
#include <algorithm>
#include <array>
#include <exception>
#include <string>
#include <vector>

#include "experiments/cli/command.h"
#include "experiments/cli/log.h"
#include "experiments/cli/process_environment.h"
#include "models/base/error.h"

namespace {

constexpr int kFailed = 1, kUserFault = 2;

// Commands that run networks.
bool runs_networks(int argc, char** argv) {
  constexpr std::array kNames{"search", "evaluate", "compress", "profile", "train"};
  return argc > 1 && std::any_of(kNames.begin(), kNames.end(), [&](const char* name) { return std::string(argv[1]) == name; });
}

// CLI11 only says that a command is missing.
void require_known_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || app.get_option_no_throw(argv[1]) != nullptr) return;
  if (argv[1][0] == '-')
    throw lathe::UserError("unknown option '" + std::string(argv[1]) + "'; a command comes first (lathe --help lists them)");
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(/*filter=*/{})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return;
  const std::string near = lathe::nearest_spelling(argv[1], names);
  throw lathe::UserError("unknown command '" + std::string(argv[1]) + "'" + (near.empty() ? "" : ", did you mean '" + near + "'?") +
                         " (lathe --help lists them)");
}

// LibTorch writes its stack behind the message.
std::string without_backtrace(const std::string& message) {
  return message.substr(0, message.find("\nException raised from"));
}

int run(int argc, char** argv) {
  CLI::App app("Searches for the best compressed versions of a trained neural network on the devices it is for.", "lathe");
  app.footer("Example:\n  lathe search configs/quickstart.yaml\n\nlathe COMMAND --help says more.");
  app.set_version_flag("--version", LATHE_VERSION);
  app.require_subcommand(1);
  lathe::cli::Action action;
  for (const auto add : {lathe::cli::add_search, lathe::cli::add_inspect, lathe::cli::add_latency, lathe::cli::add_devices,
                         lathe::cli::add_evaluate, lathe::cli::add_apply, lathe::cli::add_calibrate, lathe::cli::add_compress,
                         lathe::cli::add_export, lathe::cli::add_profile, lathe::cli::add_report, lathe::cli::add_train,
                         lathe::cli::add_validate, lathe::cli::add_schema})
    add(app, action);
  require_known_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    lathe::cli::log_error("error: " + std::string(error.what()) + " (lathe --help shows how it is used)");
    return kUserFault;
  }
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  if (runs_networks(argc, argv)) lathe::cli::settle_environment(argv);
  lathe::cli::start_log();
  try {
    return run(argc, argv);
  } catch (const lathe::UserError& error) {
    for (const lathe::Fault& fault : error.faults()) lathe::cli::log_error("error: " + lathe::to_string(fault));
    return kUserFault;
  } catch (const std::exception& error) {
    lathe::cli::log_error("failed: " + without_backtrace(error.what()));
    return kFailed;
  }
}

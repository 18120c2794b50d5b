#include "experiments/cli/command.h"

#include <iostream>
#include <nlohmann/json.hpp>

namespace lathe::cli {

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& summary, const std::string& example) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer("Example:\n  " + example);
  return command;
}

void print_json(const nlohmann::json& document) {
  std::cout << document.dump(2) << std::endl;
}

}  // namespace lathe::cli

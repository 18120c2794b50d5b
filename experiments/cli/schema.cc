#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"
#include "experiments/config/config.h"

namespace lathe::cli {

void add_schema(CLI::App& app, Action& action) {
  CLI::App* command = add_command(app, "schema", "Print the JSON Schema of config files, for editors", "lathe schema > lathe.schema.json");
  command->callback([&action] {
    action = [] {
      print_json(experiments::config_schema());
      return 0;
    };
  });
}

}  // namespace lathe::cli

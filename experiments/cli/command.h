// One file a command: each adds itself to the command line, and when chosen leaves what is to be done in `action`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lathe::cli {

// Returns the exit status: 0 done, 1 the work failed. The user's faults are thrown as UserError.
using Action = std::function<int()>;

void add_apply(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_compress(CLI::App& app, Action& action);
void add_devices(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_latency(CLI::App& app, Action& action);
void add_profile(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_schema(CLI::App& app, Action& action);
void add_search(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_validate(CLI::App& app, Action& action);

// A subcommand whose --help ends with an example.
CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& summary, const std::string& example);

// Alone on standard output, indented.
void print_json(const nlohmann::json& document);

}  // namespace lathe::cli

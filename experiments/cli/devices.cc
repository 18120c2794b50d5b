#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "experiments/cli/command.h"
#include "experiments/predictions.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string name;
  bool wants_json = false;
};

int show_one(const Options& options) {
  const hwmodels::DeviceSpec device = hwmodels::load_device(options.name);
  if (options.wants_json)
    print_json(experiments::device_json(device));
  else
    std::cout << experiments::device_text(device);
  return 0;
}

int show_all(const Options& options) {
  std::vector<hwmodels::DeviceSpec> devices;
  for (const std::string& name : hwmodels::device_names()) devices.push_back(hwmodels::load_device(name));
  if (!options.wants_json) {
    std::cout << experiments::devices_text(devices);
    return 0;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const hwmodels::DeviceSpec& device : devices) list.push_back(experiments::device_json(device));
  print_json(list);
  return 0;
}

}  // namespace

void add_devices(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "devices", "List the devices that are described, or one with its numbers and their sources",
                                  "lathe devices raspberry-pi-4");
  command->add_option("NAME", options->name, "Name or file of one device");
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return options->name.empty() ? show_all(*options) : show_one(*options); }; });
}

}  // namespace lathe::cli

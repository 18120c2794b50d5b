// Compares the hardware models with measured devices and prints the table of docs/results.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "bench/hardware_truth/report.h"
#include "bench/hardware_truth/sections.h"
#include "models/base/error.h"

namespace {

using lathe::bench::Section;

constexpr int kDone = 0, kUserFault = 2;

// A section whose data are missing or wrong is said to be so, and the others go on.
int run(const std::string& data, const std::vector<std::string>& wanted) {
  std::vector<lathe::bench::NamedResult> results;
  int status = kDone;
  for (const Section& section : lathe::bench::sections()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), section.name) == wanted.end()) continue;
    try {
      results.push_back({section.name, section.run(lathe::bench::DataFolder(data))});
      std::cout << lathe::bench::section_text(section, results.back().result) << std::flush;
    } catch (const lathe::bench::MissingData& missing) {
      std::cout << "## " << section.title << "\n\nSkipped: " << missing.what() << ".\n\n";
    } catch (const lathe::UserError& error) {
      std::cout << "## " << section.title << "\n\nWrong data: " << error.what() << ".\n\n";
      std::cerr << "error: section " << section.name << ": " << error.what() << '\n';
      status = kUserFault;
    }
  }
  std::cout << lathe::bench::claims_text(results) << lathe::bench::means_line(results);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Compares predictions of the hardware models with measured devices.", "hardware_truth");
  app.footer("Example:\n  hardware_truth --data $LATHE_DATA/hw --section nasbench201");
  std::string data = lathe::measurements::measurement_folder();
  std::vector<std::string> wanted, names;
  for (const Section& section : lathe::bench::sections()) names.emplace_back(section.name);
  app.add_option("--data", data, "Folder laid out as `hw` of LATHE_DATA; that one where left out")->check(CLI::ExistingDirectory);
  app.add_option("--section", wanted, "Section to run, may be repeated; all without it")->check(CLI::IsMember(names));
  CLI11_PARSE(app, argc, argv);
  if (data.empty()) {
    std::cerr << "error: no measurements; give --data DIR or set LATHE_DATA\n";
    return kUserFault;
  }
  return run(data, wanted);
}

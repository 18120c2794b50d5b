// `lathe export`: from a run directory, a folder that `lathe compress` wrote, or a policy file to a file of another tool.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lathe::experiments {

struct ExportRequest {
  std::string source;  // a folder or a policy file
  int policy = 0;      // of a run directory: policies/NNN.json; 0 = the recommended one
  std::string model;   // the float network; "" = the one that the run's config names
  std::string format;
  std::string output;
};

struct ExportOutcome {
  std::vector<std::string> files;  // written, the one that was asked for first
  std::vector<std::string> notes;  // what the format could not carry
};

// Throws UserError.
ExportOutcome export_policy(const ExportRequest& request);

// All formats, for programs and for people.
nlohmann::json export_formats_json();
std::string export_formats_text();

}  // namespace lathe::experiments

#include "experiments/policy_export.h"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "experiments/application.h"
#include "experiments/run_directory.h"
#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "policies/coupling_groups.h"
#include "policies/exporters/exporter.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Where a policy and the networks beside it lie; "" for what is not there.
struct PolicyFiles {
  std::string policy, delivered, config;
};

std::string if_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) ? path.string() : "";
}

// The number of the only recommended policy; of several, the user has to say which.
int recommended_policy(const std::string& results_file) {
  const json results = json::parse(std::ifstream(results_file), /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!results.is_object() || !results.contains("policies"))
    throw UserError(Fault{.file = results_file, .expected = "is not what `lathe search` writes"});
  std::vector<int> numbers;
  std::string listed;
  for (const json& policy : results["policies"]) {
    if (!policy["recommended"].get<bool>()) continue;
    numbers.push_back(policy["number"]);
    listed += (listed.empty() ? "" : ", ") + std::to_string(numbers.back()) + " for " + policy["device"].get<std::string>();
  }
  if (numbers.size() == 1) return numbers.front();
  throw UserError(Fault{.file = results_file,
                        .expected = numbers.empty() ? "recommends no policy; choose one with --policy N"
                                                    : "recommends several policies (" + listed + "); choose one with --policy N"});
}

PolicyFiles files_of_run(const fs::path& run, const std::string& policy_name, const std::string& model_name) {
  return {.policy = (run / policy_name).string(), .delivered = if_there(run / model_name), .config = if_there(run / "config.yaml")};
}

// What `lathe compress` wrote: policy.json and one ONNX file.
PolicyFiles files_of_compression(const fs::path& policy) {
  PolicyFiles files{.policy = policy.string()};
  std::error_code ignored;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(policy.parent_path().empty() ? "." : policy.parent_path(), ignored)) {
    if (entry.path().extension() != ".onnx") continue;
    files.delivered = entry.path().string();
    ++count;
  }
  if (count != 1) files.delivered.clear();
  return files;
}

PolicyFiles find_files(const ExportRequest& request) {
  const fs::path source = request.source;
  if (!fs::exists(source))
    throw UserError(Fault{.file = request.source, .expected = "is not there; expected a run directory or a policy file"});
  if (!fs::is_directory(source)) {
    if (request.policy > 0) throw UserError("--policy chooses among the policies of a run directory; " + request.source + " is a file");
    const fs::path run = fs::absolute(source).parent_path().parent_path();
    if (source.filename() == "policy.json") return files_of_compression(source);
    if (if_there(run / "pareto.json").empty()) return {.policy = request.source};
    return files_of_run(run, "policies/" + source.filename().string(), "models/" + source.stem().string() + ".onnx");
  }
  if (const std::string results = if_there(source / "pareto.json"); !results.empty()) {
    const int number = request.policy > 0 ? request.policy : recommended_policy(results);
    return files_of_run(source, RunDirectory::policy_name(number), RunDirectory::model_name(number));
  }
  if (!if_there(source / "policy.json").empty()) return files_of_compression(source / "policy.json");
  throw UserError(Fault{.file = request.source,
                        .expected = "holds neither pareto.json (a finished `lathe search`) nor policy.json (`lathe compress`)"});
}

// Only the one key: the rest of a config may name data and devices that are not on this machine.
std::string model_of_config(const std::string& config) {
  try {
    return config.empty() ? "" : YAML::LoadFile(config)["model"].as<std::string>("");
  } catch (const YAML::Exception&) {
    throw UserError(Fault{.file = config, .expected = "is not the config of a run"});
  }
}

models::Network load_network(const ExportRequest& request, const PolicyFiles& files, const policies::ExportFormat& format) {
  if (format.needs_delivered) {
    if (files.delivered.empty()) {
      throw UserError(Fault{.file = request.source,
                            .expected = "no compressed ONNX file lies beside the policy, and the format " + format.name +
                                        " needs its ranges; build it with `lathe compress` and export that folder"});
    }
    return models::read_onnx(files.delivered);
  }
  const std::string model = request.model.empty() ? model_of_config(files.config) : request.model;
  if (model.empty()) throw UserError(Fault{.file = request.source, .expected = "which network is the policy of? Say --model NET.onnx"});
  return policies::prepare_for_pruning(models::read_onnx(model));
}

}  // namespace

ExportOutcome export_policy(const ExportRequest& request) {
  const policies::Exporter& exporter = policies::find_exporter(request.format);
  const PolicyFiles files = find_files(request);
  policies::ExportSource source{.policy = policies::read_policy(files.policy), .network = {}};
  source.network = load_network(request, files, exporter.format());
  policies::Export written = exporter.write(source);

  ExportOutcome outcome{.files = {request.output}, .notes = std::move(written.notes)};
  if (!exporter.format().needs_delivered) {
    if (const std::string note = other_model_note(source.policy.model_sha256, source.network.sha256); !note.empty())
      outcome.notes.insert(outcome.notes.begin(), note);
  }
  for (const auto& [ending, bytes] : written.companions) {
    outcome.files.push_back(fs::path(request.output).replace_extension(ending).string());
    if (outcome.files.back() == request.output)
      throw UserError(
          Fault{.file = request.output, .expected = "a second file of this name goes with it; give --out another ending than " + ending});
    write_atomically(outcome.files.back(), bytes);
  }
  write_atomically(request.output, written.bytes);
  return outcome;
}

json export_formats_json() {
  json list = json::array();
  for (const policies::Exporter* exporter : policies::exporters()) {
    const policies::ExportFormat& format = exporter->format();
    list.push_back({{"name", format.name},
                    {"opened_by", format.opened_by},
                    {"tested_with", format.tested_with},
                    {"carries", format.carries},
                    {"loses", format.loses},
                    {"needs_compressed_model", format.needs_delivered}});
  }
  return list;
}

std::string export_formats_text() {
  std::string text;
  for (const policies::Exporter* exporter : policies::exporters()) {
    const policies::ExportFormat& format = exporter->format();
    text += format.name + (format.needs_delivered ? "  (from a run directory or what `lathe compress` wrote)" : "") + "\n";
    text += "  opened by    " + format.opened_by + "\n  tested with  " + format.tested_with + "\n  carries      " + format.carries + "\n";
    if (!format.loses.empty()) text += "  loses        " + format.loses + "\n";
  }
  return text;
}

}  // namespace lathe::experiments

#include "policies/policy.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/base/error.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

json to_json(const Figure& figure) {
  json object = {{"value", figure.value}};
  if (!figure.kind.empty()) object["kind"] = figure.kind;
  if (!figure.split.empty()) object["split"] = figure.split;
  if (figure.samples > 0) object["samples"] = figure.samples;
  if (figure.interval) object["interval"] = {figure.interval->first, figure.interval->second};
  return object;
}

json to_json(const std::map<std::string, Figure>& figures) {
  json object = json::object();
  for (const auto& [device, figure] : figures) object[device] = to_json(figure);
  return object;
}

json to_json(const GroupPolicy& group) {
  json object = {{"name", group.name}, {"keep_ratio", group.keep_ratio}, {"criterion", group.criterion}};
  if (group.channels > 0) object["channels"] = group.channels;
  if (!group.kept.empty()) object["kept"] = group.kept;
  return object;
}

json to_json(const LayerPolicy& layer) {
  json object{{"name", layer.name},
              {"weight_bits", layer.weight_bits},
              {"weight_format", layer.weight_format},
              {"weight_granularity", layer.weight_granularity},
              {"activation_bits", layer.activation_bits},
              {"activation_format", layer.activation_format},
              {"dynamic", layer.dynamic},
              {"sparsity", layer.sparsity},
              {"pattern", layer.pattern}};
  if (layer.rank_ratio < 1) object["rank_ratio"] = layer.rank_ratio;
  return object;
}

json to_json(const BlockPolicy& block) {
  return {{"name", block.name}, {"keep", block.keep}};
}

json to_json(const PolicyMetrics& metrics) {
  json object = json::object();
  if (metrics.accuracy) object["accuracy"] = to_json(*metrics.accuracy);
  if (metrics.accuracy_loss) object["accuracy_loss"] = to_json(*metrics.accuracy_loss);
  if (!metrics.latency_ms.empty()) object["latency_ms"] = to_json(metrics.latency_ms);
  if (!metrics.energy_mj.empty()) object["energy_mj"] = to_json(metrics.energy_mj);
  if (metrics.size_bytes) object["size_bytes"] = *metrics.size_bytes;
  if (metrics.packed_bytes) object["packed_bytes"] = *metrics.packed_bytes;
  return object;
}

}  // namespace

const std::vector<std::string>& pruning_criteria() {
  static const std::vector<std::string> kCriteria{"l1",         "l2",     "batch_norm", "fpgm",   "random",
                                                  "activation", "taylor", "fisher",     "thinet", "lasso"};
  return kCriteria;
}

const std::vector<std::string>& number_formats() {
  static const std::vector<std::string> kFormats{"int", "float", "bfloat", "tf32", "pow2"};
  return kFormats;
}

const std::vector<std::string>& sparsity_patterns() {
  static const std::vector<std::string> kPatterns{"dense", "unstructured", "2:4", "4x1"};
  return kPatterns;
}

std::vector<int> legal_bits(const std::string& format) {
  if (format == "int") return {2, 3, 4, 5, 6, 7, 8, 16};
  if (format == "pow2") return {2, 3, 4, 5, 6, 7, 8};
  if (format == "bfloat") return {16};
  if (format == "tf32") return {32};
  return {8, 16, 32};
}

Policy read_policy(const std::string& path) {
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, ignored)) {
    throw UserError(Fault{.file = path, .expected = "cannot be read; expected a policy file (JSON)"});
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_policy(text.str(), path);
}

json to_json(const Policy& policy) {
  json groups = json::array(), layers = json::array();
  for (const GroupPolicy& group : policy.groups) groups.push_back(to_json(group));
  for (const LayerPolicy& layer : policy.layers) layers.push_back(to_json(layer));
  json document{{"format", "lathe.policy"}, {"version", 1},     {"model", {{"name", policy.model_name}, {"sha256", policy.model_sha256}}},
                {"groups", groups},         {"layers", layers}, {"metrics", to_json(policy.metrics)}};
  for (const BlockPolicy& block : policy.blocks) document["blocks"].push_back(to_json(block));
  return document;
}

void write_policy(const Policy& policy, const std::string& path) {
  const std::string temporary = path + ".tmp";
  {
    std::ofstream file(temporary, std::ios::binary);
    file << to_json(policy).dump(2, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace) << '\n';
    file.flush();
    if (!file) throw UserError(Fault{.file = path, .expected = "cannot be written"});
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::remove(temporary.c_str());
    throw UserError(Fault{.file = path, .expected = "cannot be written: " + error.message()});
  }
}

}  // namespace lathe::policies

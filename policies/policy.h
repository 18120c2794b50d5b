// A compression policy as a value, and its file format (docs: policy file). Groups and layers left out keep their width and format.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe::policies {

// How tokens are chosen (token_selection.h): no criterion of channels.
inline constexpr const char* kAttentionCriterion = "attention";

struct GroupPolicy {
  std::string name;
  double keep_ratio = 1;           // channels / unpruned channels, in (0, 1]
  std::int64_t channels = 0;       // kept; 0 = from keep_ratio
  std::string criterion = "l1";    // kAttentionCriterion for tokens
  std::vector<std::int64_t> kept;  // ascending; empty = chosen by the criterion. Always empty for tokens, which are chosen for each input
  bool operator==(const GroupPolicy&) const = default;
};

struct LayerPolicy {
  std::string name;
  int weight_bits = 32;
  std::string weight_format = "float";         // int, float, bfloat, tf32, pow2
  std::string weight_granularity = "channel";  // channel, tensor
  int activation_bits = 32;                    // of the layer's input
  std::string activation_format = "float";
  bool dynamic = false;
  double sparsity = 0;
  std::string pattern = "dense";
  double rank_ratio = 1;  // rank of its two factors / full rank, in (0, 1]; 1 = whole (low_rank.h)
  bool operator==(const LayerPolicy&) const = default;
};

struct BlockPolicy {
  std::string name;  // of a residual block (residual_blocks.h)
  bool keep = true;
  bool operator==(const BlockPolicy&) const = default;
};

// A figure with what it says: measured or predicted, on what, how sure.
struct Figure {
  double value = 0;
  std::string kind;          // "measured" or "predicted"
  std::string split;         // "search", "test"; "" if it has none
  std::int64_t samples = 0;  // 0 = does not apply
  std::optional<std::pair<double, double>> interval;
  bool operator==(const Figure&) const = default;
};

struct PolicyMetrics {
  std::optional<Figure> accuracy;
  std::optional<Figure> accuracy_loss;       // paired difference to the float network on the same samples
  std::map<std::string, Figure> latency_ms;  // by device
  std::map<std::string, Figure> energy_mj;
  std::optional<std::int64_t> size_bytes;    // the delivered ONNX file
  std::optional<std::int64_t> packed_bytes;  // weights at their widths
  bool operator==(const PolicyMetrics&) const = default;
};

struct Policy {
  std::string model_name;
  std::string model_sha256;
  std::vector<GroupPolicy> groups;
  std::vector<LayerPolicy> layers;
  std::vector<BlockPolicy> blocks;  // those left out stay
  PolicyMetrics metrics;
  bool operator==(const Policy&) const = default;
};

// The legal words of a policy file; tf32 is written with 32 bits (it is stored so).
const std::vector<std::string>& pruning_criteria();
const std::vector<std::string>& number_formats();
const std::vector<std::string>& sparsity_patterns();
std::vector<int> legal_bits(const std::string& format);

// `label` names the file in messages. Throws UserError (key path, what was expected), all faults at once; unknown keys are errors.
// A layer's format that is left out is int up to 8 bits, else float.
Policy parse_policy(const std::string& text, const std::string& label);
Policy read_policy(const std::string& path);

// The same from parsed JSON. kRequest is a line of the evaluator protocol: {"id", "groups", "layers", "blocks"}.
enum class PolicyDocument { kFile, kRequest };
Policy policy_from_json(const nlohmann::json& document, const std::string& label, PolicyDocument kind);

nlohmann::json to_json(const Policy& policy);
// Writes beside `path` and renames. Throws UserError where the place cannot be written.
void write_policy(const Policy& policy, const std::string& path);

}  // namespace lathe::policies

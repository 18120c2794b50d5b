// The policy file read strictly: every fault of a file is collected before one UserError is thrown, so that a user mends a file in one go.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "models/base/error.h"
#include "policies/policy.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// What the user wrote, short enough for one line.
std::string excerpt(const json& value) {
  std::string text =
      value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// One JSON object whose keys are taken out one by one; what is left at the end is unknown to Lathe.
class ObjectReader {
 public:
  ObjectReader(const json& object, std::string path, const std::string& file, std::vector<Fault>& faults)
      : object_(object), path_(std::move(path)), file_(file), faults_(faults) {}

  // Null where the key is absent.
  const json* find(const std::string& key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  std::string key_path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  void fault(const std::string& key, const std::string& expected, const std::string& got = "") {
    faults_.push_back({.file = file_, .key = key_path(key), .expected = expected, .got = got});
  }

  bool string(const std::string& key, std::string& target) {
    const json* value = find(key);
    if (!value) return false;
    if (!value->is_string()) return wrong(key, "expected text", *value);
    target = value->get<std::string>();
    return true;
  }

  bool word(const std::string& key, const std::vector<std::string>& legal, std::string& target) {
    std::string text;
    if (!string(key, text)) return false;
    if (std::find(legal.begin(), legal.end(), text) == legal.end()) {
      const std::string near = nearest_spelling(text, legal);
      fault(key, "expected one of " + join(legal) + (near.empty() ? "" : " (did you mean '" + near + "'?)"), text);
      return false;
    }
    target = text;
    return true;
  }

  bool boolean(const std::string& key, bool& target) {
    const json* value = find(key);
    if (!value) return false;
    if (!value->is_boolean()) return wrong(key, "expected true or false", *value);
    target = value->get<bool>();
    return true;
  }

  bool integer(const std::string& key, std::int64_t minimum, std::int64_t& target) {
    const json* value = find(key);
    if (!value) return false;
    const std::string expected = "expected a whole number of at least " + std::to_string(minimum);
    if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX)) {
      return wrong(key, expected, *value);
    }
    if (value->get<std::int64_t>() < minimum) return wrong(key, expected, *value);
    target = value->get<std::int64_t>();
    return true;
  }

  bool number(const std::string& key, double& target) {
    const json* value = find(key);
    if (!value) return false;
    if (!value->is_number()) return wrong(key, "expected a number", *value);
    target = value->get<double>();
    return true;
  }

  // The object or array under `key`, null (with a fault where it is something else) if there is none.
  const json* object(const std::string& key) {
    const json* value = find(key);
    if (!value || value->is_object()) return value;
    wrong(key, "expected an object {...}", *value);
    return nullptr;
  }
  const json* array(const std::string& key) {
    const json* value = find(key);
    if (!value || value->is_array()) return value;
    wrong(key, "expected a list [...]", *value);
    return nullptr;
  }

  // To be called last: whatever nobody asked for is an error.
  void reject_unknown() {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const std::string near = nearest_spelling(key, known_);
      fault(key, "unknown key" + (near.empty() ? "; known are " + join(known_) : "; did you mean '" + near + "'?"));
    }
  }

  ObjectReader child(const json& object, const std::string& key) { return {object, key_path(key), file_, faults_}; }
  const std::string& path() const { return path_; }

 private:
  bool wrong(const std::string& key, const std::string& expected, const json& got) {
    fault(key, expected, excerpt(got));
    return false;
  }

  const json& object_;
  std::string path_;
  const std::string& file_;
  std::vector<Fault>& faults_;
  std::vector<std::string> known_;
};

// Strictly ascending indices from 0.
std::vector<std::int64_t> parse_kept(ObjectReader& reader) {
  std::vector<std::int64_t> kept;
  const json* list = reader.array("kept");
  if (!list) return kept;
  if (list->empty()) reader.fault("kept", "expected at least one channel index (leave the key out to let the criterion choose)", "[]");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json& item = (*list)[i];
    const std::string key = "kept[" + std::to_string(i) + "]";
    if (!item.is_number_integer() || (item.is_number_unsigned() && item.get<std::uint64_t>() > INT64_MAX) || item.get<std::int64_t>() < 0) {
      reader.fault(key, "expected a channel index of at least 0", excerpt(item));
      return {};
    }
    const std::int64_t index = item.get<std::int64_t>();
    if (!kept.empty() && index <= kept.back()) {
      reader.fault(key, index == kept.back() ? "channel index given twice" : "expected ascending channel indices", std::to_string(index));
      return {};
    }
    kept.push_back(index);
  }
  return kept;
}

GroupPolicy parse_group(ObjectReader reader) {
  GroupPolicy group;
  const bool has_name = reader.string("name", group.name);
  if (!has_name && !reader.find("name")) reader.fault("name", "missing; expected the name of a coupling group");
  if (has_name && group.name.empty()) reader.fault("name", "expected the name of a coupling group", "");
  const bool has_ratio = reader.number("keep_ratio", group.keep_ratio);
  if (has_ratio && !(group.keep_ratio > 0 && group.keep_ratio <= 1)) {
    reader.fault("keep_ratio", "expected a number above 0 and at most 1", excerpt(json(group.keep_ratio)));
  }
  const bool has_channels = reader.integer("channels", 1, group.channels);
  std::vector<std::string> criteria = pruning_criteria();
  criteria.push_back(kAttentionCriterion);
  reader.word("criterion", criteria, group.criterion);
  group.kept = parse_kept(reader);
  const std::int64_t kept_count = static_cast<std::int64_t>(group.kept.size());
  if (has_channels && kept_count > 0 && kept_count != group.channels) {
    reader.fault("kept", "expected " + std::to_string(group.channels) + " indices, as `channels` says", std::to_string(kept_count));
  }
  if (!has_channels && kept_count > 0) group.channels = kept_count;
  if (!reader.find("keep_ratio") && !reader.find("channels") && !reader.find("kept")) {
    reader.fault("keep_ratio", "missing; expected `keep_ratio`, `channels` or `kept`");
  }
  reader.reject_unknown();
  return group;
}

// Bits and format of weights or activations. A format that is left out follows from the bits: integers to 8, floats above.
void parse_number_format(ObjectReader& reader, const std::string& prefix, int& bits, std::string& format) {
  std::int64_t wide = bits;
  const bool has_bits = reader.integer(prefix + "_bits", 1, wide);
  const bool has_format = reader.word(prefix + "_format", number_formats(), format);
  if (has_bits && !has_format) format = wide <= 8 ? "int" : "float";
  if (!has_bits && has_format && legal_bits(format).size() == 1) wide = legal_bits(format).front();
  const std::vector<int> legal = legal_bits(format);
  if (std::find(legal.begin(), legal.end(), wide) == legal.end()) {
    std::vector<std::string> words;
    for (const int width : legal) words.push_back(std::to_string(width));
    reader.fault(prefix + "_bits", "expected one of " + join(words) + " for format " + format, std::to_string(wide));
    return;
  }
  bits = static_cast<int>(wide);
}

LayerPolicy parse_layer(ObjectReader reader) {
  LayerPolicy layer;
  const bool has_name = reader.string("name", layer.name);
  if (!has_name && !reader.find("name")) reader.fault("name", "missing; expected the name of a layer");
  if (has_name && layer.name.empty()) reader.fault("name", "expected the name of a layer", "");
  parse_number_format(reader, "weight", layer.weight_bits, layer.weight_format);
  reader.word("weight_granularity", {"channel", "tensor"}, layer.weight_granularity);
  parse_number_format(reader, "activation", layer.activation_bits, layer.activation_format);
  reader.boolean("dynamic", layer.dynamic);
  if (reader.number("sparsity", layer.sparsity) && !(layer.sparsity >= 0 && layer.sparsity < 1)) {
    reader.fault("sparsity", "expected a number of at least 0 and below 1", excerpt(json(layer.sparsity)));
  }
  reader.word("pattern", sparsity_patterns(), layer.pattern);
  if (layer.sparsity > 0 && layer.pattern == "dense")
    reader.fault("pattern", "expected a sparse pattern where `sparsity` is above 0", "dense");
  if (layer.pattern == "2:4" && layer.sparsity != 0.5)
    reader.fault("sparsity", "expected 0.5, the sparsity of pattern 2:4", excerpt(json(layer.sparsity)));
  if (reader.number("rank_ratio", layer.rank_ratio) && !(layer.rank_ratio > 0 && layer.rank_ratio <= 1))
    reader.fault("rank_ratio", "expected a number above 0 and at most 1", excerpt(json(layer.rank_ratio)));
  reader.reject_unknown();
  return layer;
}

BlockPolicy parse_block(ObjectReader reader) {
  BlockPolicy block;
  if (!reader.string("name", block.name) && !reader.find("name")) reader.fault("name", "missing; expected the name of a residual block");
  reader.boolean("keep", block.keep);
  if (!reader.find("keep")) reader.fault("keep", "missing; expected true or false");
  reader.reject_unknown();
  return block;
}

Figure parse_figure(ObjectReader reader) {
  Figure figure;
  reader.number("value", figure.value);
  if (!reader.find("value")) reader.fault("value", "missing; expected a number");
  reader.word("kind", {"measured", "predicted"}, figure.kind);
  reader.string("split", figure.split);
  reader.integer("samples", 0, figure.samples);
  if (const json* interval = reader.array("interval")) {
    if (interval->size() == 2 && (*interval)[0].is_number() && (*interval)[1].is_number()) {
      figure.interval = {(*interval)[0].get<double>(), (*interval)[1].get<double>()};
      if (figure.interval->first > figure.interval->second)
        reader.fault("interval", "expected [low, high] with low <= high", excerpt(*interval));
    } else {
      reader.fault("interval", "expected [low, high]", excerpt(*interval));
    }
  }
  reader.reject_unknown();
  return figure;
}

std::map<std::string, Figure> parse_figures_by_device(ObjectReader& metrics, const std::string& key) {
  std::map<std::string, Figure> figures;
  const json* devices = metrics.object(key);
  if (!devices) return figures;
  ObjectReader reader = metrics.child(*devices, key);
  for (const auto& [device, value] : devices->items()) {
    if (const json* object = reader.object(device)) figures[device] = parse_figure(reader.child(*object, device));
  }
  return figures;
}

PolicyMetrics parse_metrics(ObjectReader reader) {
  PolicyMetrics metrics;
  if (const json* value = reader.object("accuracy")) metrics.accuracy = parse_figure(reader.child(*value, "accuracy"));
  if (const json* value = reader.object("accuracy_loss")) metrics.accuracy_loss = parse_figure(reader.child(*value, "accuracy_loss"));
  metrics.latency_ms = parse_figures_by_device(reader, "latency_ms");
  metrics.energy_mj = parse_figures_by_device(reader, "energy_mj");
  std::int64_t bytes = 0;
  if (reader.integer("size_bytes", 0, bytes)) metrics.size_bytes = bytes;
  if (reader.integer("packed_bytes", 0, bytes)) metrics.packed_bytes = bytes;
  reader.reject_unknown();
  return metrics;
}

// The list under `key`, each entry by `parse`, with names checked to be unique.
template <typename Entry, typename Parse>
std::vector<Entry> parse_list(ObjectReader& root, const std::string& key, Parse parse) {
  std::vector<Entry> entries;
  const json* list = root.array(key);
  if (!list) return entries;
  std::set<std::string> names;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string item_key = key + "[" + std::to_string(i) + "]";
    if (!(*list)[i].is_object()) {
      root.fault(item_key, "expected an object {...}", excerpt((*list)[i]));
      continue;
    }
    entries.push_back(parse(root.child((*list)[i], item_key)));
    const std::string& name = entries.back().name;
    if (!name.empty() && !names.insert(name).second) root.fault(item_key + ".name", "name given twice", name);
  }
  return entries;
}

void parse_header(ObjectReader& root, Policy& policy) {
  std::string format;
  if (!root.find("format")) root.fault("format", "missing; expected \"lathe.policy\"");
  root.word("format", {"lathe.policy"}, format);
  std::int64_t version = 1;
  if (!root.find("version")) root.fault("version", "missing; expected 1");
  if (root.integer("version", 1, version) && version != 1) root.fault("version", "expected 1", std::to_string(version));
  if (const json* model = root.object("model")) {
    ObjectReader reader = root.child(*model, "model");
    reader.string("name", policy.model_name);
    reader.string("sha256", policy.model_sha256);
    reader.reject_unknown();
  }
  if (const json* metrics = root.object("metrics")) policy.metrics = parse_metrics(root.child(*metrics, "metrics"));
}

// 1 + the newlines before byte `offset` (from 1, as nlohmann counts).
int line_of(const std::string& text, std::size_t offset) {
  const std::size_t end = std::min(offset == 0 ? 0 : offset - 1, text.size());
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
}

json parse_json(const std::string& text, const std::string& label) {
  std::vector<std::set<std::string>> keys;
  std::vector<Fault> duplicates;
  const auto watch_keys = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      duplicates.push_back({.file = label, .key = parsed.get<std::string>(), .expected = "key given twice in one object"});
    }
    return true;
  };
  try {
    json document = json::parse(text, watch_keys);
    if (!duplicates.empty()) throw UserError(duplicates);
    return document;
  } catch (const json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing ..." -> the part after the place.
    std::string why = error.what();
    if (const std::size_t colon = why.find(": "); colon != std::string::npos) why = why.substr(colon + 2);
    throw UserError(Fault{.file = label, .line = line_of(text, error.byte), .expected = "not valid JSON: " + why});
  } catch (const json::exception& error) {  // numbers that no double holds
    throw UserError(Fault{.file = label, .expected = std::string("not valid JSON: ") + error.what()});
  }
}

}  // namespace

Policy policy_from_json(const json& document, const std::string& label, PolicyDocument kind) {
  if (!document.is_object()) throw UserError(Fault{.file = label, .expected = "expected a policy object {...}", .got = excerpt(document)});
  std::vector<Fault> faults;
  Policy policy;
  ObjectReader root(document, "", label, faults);
  if (kind == PolicyDocument::kFile) parse_header(root, policy);
  if (kind == PolicyDocument::kRequest) root.find("id");
  policy.groups = parse_list<GroupPolicy>(root, "groups", parse_group);
  policy.layers = parse_list<LayerPolicy>(root, "layers", parse_layer);
  policy.blocks = parse_list<BlockPolicy>(root, "blocks", parse_block);
  root.reject_unknown();
  if (!faults.empty()) throw UserError(faults);
  return policy;
}

Policy parse_policy(const std::string& text, const std::string& label) {
  return policy_from_json(parse_json(text, label), label, PolicyDocument::kFile);
}

}  // namespace lathe::policies

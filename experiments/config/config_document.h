// The YAML tree of a config with the `--set` overrides laid over it, and the book of its faults: each with the file and line (or the
// `--set` argument) that it came from, so that a user mends all of them in one go.
#pragma once

#include <yaml-cpp/node/node.h>

#include <functional>
#include <string>
#include <vector>

#include "models/base/error.h"

namespace lathe::experiments {

class ConfigDocument {
 public:
  // overrides: "path=value" each, value in YAML ("search.trials=40", "devices=[nvidia-t4]", "search.agents[1].kind=bayes").
  // Throws UserError where the file cannot be read or is not YAML, or an override is not of that form.
  ConfigDocument(const std::string& path, const std::vector<std::string>& overrides);
  ConfigDocument(std::string label, const std::string& text, const std::vector<std::string>& overrides);

  const YAML::Node& root() const { return root_; }
  const std::string& label() const { return label_; }

  // The node at a dotted path without indices; undefined where it is not given.
  YAML::Node at(const std::string& key) const;

  // Notes a fault of `key`, whose text is at `node` (of the enclosing section where the key is absent).
  void fault(const std::string& key, const YAML::Node& node, const std::string& expected, const std::string& got = "");
  // The same for a key by its path.
  void fault(const std::string& key, const std::string& expected, const std::string& got = "");
  bool has_faults() const { return !faults_.empty(); }
  // Throws UserError with everything noted, in the order of the file's lines.
  void throw_faults() const;

 private:
  void parse(const std::string& text);
  void apply(const std::string& override_text);

  std::string label_;
  YAML::Node root_;
  std::vector<std::string> overridden_;      // key paths, parallel to
  std::vector<std::string> override_texts_;  // the arguments as the user wrote them
  std::vector<Fault> faults_;
};

}  // namespace lathe::experiments

// Keys of the config from the member that holds their value: how it is read, written and described follows from its type.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "experiments/config/config_keys.h"
#include "experiments/config/config_values.h"

namespace lathe::experiments {

// `member`: ExperimentConfig& -> T&.
template <typename Member>
ConfigKey key(std::string path, Member member, Rule rule, std::string help) {
  using T = std::remove_cvref_t<decltype(member(std::declval<ExperimentConfig&>()))>;
  return {.path = std::move(path),
          .help = std::move(help),
          .read = [member, rule](ConfigDocument& document, const std::string& at, const YAML::Node& node,
                                 ExperimentConfig& config) { read_value(document, at, node, rule, member(config)); },
          .write = [member](const ExperimentConfig& config) { return write_value<T>(member(const_cast<ExperimentConfig&>(config))); },
          .schema = [rule] { return schema_of<T>(rule); }};
}

// A list of file names that is kept joined by commas, as the data sets take it.
template <typename Member>
ConfigKey files_key(std::string path, Member member, std::string help) {
  const Rule rule{.allows_single = true};
  return {.path = std::move(path),
          .help = std::move(help),
          .read =
              [member, rule](ConfigDocument& document, const std::string& at, const YAML::Node& node, ExperimentConfig& config) {
                std::vector<std::string> files;
                if (!read_value(document, at, node, rule, files)) return;
                std::string& joined = member(config);
                joined.clear();
                for (const std::string& file : files) joined += (joined.empty() ? "" : ",") + file;
              },
          .write = [member](const ExperimentConfig& config) { return YAML::Node(member(const_cast<ExperimentConfig&>(config))); },
          .schema = [rule] { return schema_of<std::vector<std::string>>(rule); }};
}

// Null stands for "none".
template <typename Member>
ConfigKey optional_key(std::string path, Member member, Rule rule, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .read =
              [member, rule](ConfigDocument& document, const std::string& at, const YAML::Node& node, ExperimentConfig& config) {
                double value = 0;
                if (node.IsNull())
                  member(config).reset();
                else if (read_value(document, at, node, rule, value))
                  member(config) = value;
              },
          .write =
              [member](const ExperimentConfig& config) {
                const std::optional<double>& value = member(const_cast<ExperimentConfig&>(config));
                return value ? YAML::Node(*value) : YAML::Node(YAML::NodeType::Null);
              },
          .schema = [rule] { return schema_of<double>(rule); }};
}

}  // namespace lathe::experiments

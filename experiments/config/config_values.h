// Typed values of a config: how each C++ type is read from YAML (with what a fault says), written back, and described to JSON Schema.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "experiments/config/config_document.h"

namespace lathe::experiments {

// What a value must satisfy besides its type.
struct Rule {
  double at_least = -std::numeric_limits<double>::infinity();
  double at_most = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices{};  // of a text; empty = free
  bool allows_single = false;          // a list may be written as one value
  bool needs_entry = false;            // a list may not be empty
};

template <typename T>
struct is_vector : std::false_type {};
template <typename T>
struct is_vector<std::vector<T>> : std::true_type {};

// "a whole number of at least 1", "one of idx, cifar10", ... for "expected ...".
std::string describe_range(const std::string& what, const Rule& rule);
std::string join(const std::vector<std::string>& words);
std::string text_of(const YAML::Node& node);  // the node as YAML on one line, cut where long

template <typename T>
std::string describe(const Rule& rule) {
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return describe_range("a whole number", rule);
  else if constexpr (std::is_floating_point_v<T>)
    return describe_range("a number", rule);
  else if constexpr (is_vector<T>::value)
    return "a list, each " + describe<typename T::value_type>(rule);
  else
    return rule.choices.empty() ? "a text" : "one of " + join(rule.choices);
}

// Returns whether the value is right; else a fault is noted and `out` is left alone.
template <typename T>
bool read_value(ConfigDocument& document, const std::string& path, const YAML::Node& node, const Rule& rule, T& out) {
  const auto refuse = [&](const std::string& hint = "") {
    document.fault(path, node, "expected " + describe<T>(rule) + hint, text_of(node));
    return false;
  };
  if constexpr (is_vector<T>::value) {
    T values;
    bool is_right = true;
    const auto read_entry = [&](const YAML::Node& entry, const std::string& at) {
      typename T::value_type value{};
      if (read_value(document, at, entry, rule, value))
        values.push_back(value);
      else
        is_right = false;
    };
    if (node.IsSequence()) {
      for (std::size_t i = 0; i < node.size(); ++i) read_entry(node[i], path + "[" + std::to_string(i) + "]");
    } else if (rule.allows_single && node.IsScalar()) {
      read_entry(node, path);
    } else {
      return refuse();
    }
    if (is_right && values.empty() && rule.needs_entry) return refuse(", at least one entry");
    if (is_right) out = std::move(values);
    return is_right;
  } else {
    T value{};
    if (!node.IsScalar() || !YAML::convert<T>::decode(node, value)) return refuse();
    if constexpr (std::is_same_v<T, std::string>) {
      if (value.empty() && !rule.choices.empty()) return refuse();
      if (!rule.choices.empty() && std::find(rule.choices.begin(), rule.choices.end(), value) == rule.choices.end()) {
        const std::string near = nearest_spelling(value, rule.choices);
        return refuse(near.empty() ? "" : " (did you mean '" + near + "'?)");
      }
    } else if constexpr (!std::is_same_v<T, bool>) {
      const double number = static_cast<double>(value);
      if (!std::isfinite(number) || number < rule.at_least || number > rule.at_most) return refuse();
    }
    out = std::move(value);
    return true;
  }
}

template <typename T>
YAML::Node write_value(const T& value) {
  YAML::Node node(value);
  if constexpr (is_vector<T>::value) {
    if (value.empty()) node = YAML::Node(YAML::NodeType::Sequence);
    node.SetStyle(YAML::EmitterStyle::Flow);
  }
  return node;
}

template <typename T>
nlohmann::json schema_of(const Rule& rule) {
  nlohmann::json schema;
  if constexpr (is_vector<T>::value) {
    const nlohmann::json entry = schema_of<typename T::value_type>(rule);
    schema = {{"type", "array"}, {"items", entry}};
    if (rule.needs_entry) schema["minItems"] = 1;
    if (rule.allows_single) schema = {{"oneOf", nlohmann::json::array({entry, schema})}};
  } else if constexpr (std::is_same_v<T, std::string>) {
    schema["type"] = "string";
    if (!rule.choices.empty()) schema["enum"] = rule.choices;
  } else if constexpr (std::is_same_v<T, bool>) {
    schema["type"] = "boolean";
  } else {
    schema["type"] = std::is_integral_v<T> ? "integer" : "number";
    if (std::isfinite(rule.at_least)) schema["minimum"] = rule.at_least;
    if (std::isfinite(rule.at_most)) schema["maximum"] = rule.at_most;
  }
  return schema;
}

}  // namespace lathe::experiments

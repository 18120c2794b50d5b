#include "experiments/config/agent_entries.h"

#include <algorithm>
#include <set>

#include "experiments/config/config_values.h"

namespace lathe::experiments {
namespace {

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const search::AgentKind& kind : search::agent_kinds()) names.push_back(kind.kind);
  return names;
}

const search::AgentKind* find_kind(const std::string& name) {
  const auto& kinds = search::agent_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const search::AgentKind& kind) { return kind.kind == name; });
  return found == kinds.end() ? nullptr : &*found;
}

void read_option(ConfigDocument& document, const std::string& path, const YAML::Node& name, const YAML::Node& value,
                 const search::AgentKind& kind, search::AgentOptions& agent) {
  const std::string option = name.Scalar();
  std::vector<std::string> legal{"kind", "name"};
  for (const auto& known : kind.options) legal.push_back(known.name);
  if (std::find(legal.begin(), legal.end(), option) == legal.end()) {
    const std::string near = nearest_spelling(option, legal);
    document.fault(path, name,
                   "unknown option of agent " + kind.kind + ", expected one of " + join(legal) +
                       (near.empty() ? "" : " (did you mean '" + near + "'?)"));
    return;
  }
  const auto known = std::find_if(kind.options.begin(), kind.options.end(), [&](const auto& each) { return each.name == option; });
  const Rule rule{.at_least = known->low, .at_most = known->high};
  double number = 0;
  std::int64_t whole = 0;
  bool flag = false;
  const bool is_switch = known->is_integer && known->low == 0 && known->high == 1;
  if (is_switch && value.IsScalar() && YAML::convert<bool>::decode(value, flag)) {
    agent.options[option] = flag ? 1 : 0;
  } else if (known->is_integer) {
    if (read_value(document, path, value, rule, whole)) agent.options[option] = static_cast<double>(whole);
  } else if (read_value(document, path, value, rule, number)) {
    agent.options[option] = number;
  }
}

void read_agent(ConfigDocument& document, const std::string& path, const YAML::Node& node, std::vector<search::AgentOptions>& agents) {
  const Rule kinds{.choices = kind_names()};
  search::AgentOptions agent;
  if (node.IsScalar()) {
    if (!read_value(document, path, node, kinds, agent.kind)) return;
  } else if (node.IsMap()) {
    const YAML::Node kind = node["kind"];
    if (!kind.IsDefined()) {
      document.fault(path, node, "expected 'kind', one of " + join(kinds.choices));
      return;
    }
    if (!read_value(document, path + ".kind", kind, kinds, agent.kind)) return;
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      if (name == "kind") continue;
      if (name == "name")
        read_value(document, path + ".name", entry.second, Rule{}, agent.name);
      else
        read_option(document, path + "." + name, entry.first, entry.second, *find_kind(agent.kind), agent);
    }
  } else {
    document.fault(path, node, "expected the kind of an agent or a map with 'kind'", text_of(node));
    return;
  }
  if (agent.name.empty()) agent.name = agent.kind;
  for (const search::AgentOptions& other : agents) {
    if (other.name == agent.name) {
      document.fault(path, node, "two agents are called '" + agent.name + "'; give one of them another 'name'");
      return;
    }
  }
  agents.push_back(std::move(agent));
}

}  // namespace

void read_agents(ConfigDocument& document, const std::string& path, const YAML::Node& node, std::vector<search::AgentOptions>& agents) {
  std::vector<search::AgentOptions> read;
  if (node.IsScalar()) {
    read_agent(document, path, node, read);
  } else if (node.IsSequence() && node.size() > 0) {
    for (std::size_t i = 0; i < node.size(); ++i) read_agent(document, path + "[" + std::to_string(i) + "]", node[i], read);
  } else {
    document.fault(path, node, "expected a list of agents, at least one of " + join(kind_names()), text_of(node));
  }
  agents = std::move(read);
}

YAML::Node write_agents(const std::vector<search::AgentOptions>& agents) {
  YAML::Node list(YAML::NodeType::Sequence);
  for (const search::AgentOptions& agent : agents) {
    YAML::Node entry;
    entry["kind"] = agent.kind;
    entry["name"] = agent.name;
    for (const auto& [name, value] : agent.options) entry[name] = value;
    entry.SetStyle(YAML::EmitterStyle::Flow);
    list.push_back(entry);
  }
  return list;
}

nlohmann::json agents_schema() {
  nlohmann::json entries = nlohmann::json::array({{{"type", "string"}, {"enum", kind_names()}}});
  for (const search::AgentKind& kind : search::agent_kinds()) {
    nlohmann::json properties{{"kind", {{"const", kind.kind}}}, {"name", {{"type", "string"}}}};
    for (const auto& option : kind.options)
      properties[option.name] = {{"type", option.is_integer ? "integer" : "number"},
                                 {"minimum", option.low},
                                 {"maximum", option.high},
                                 {"default", option.otherwise},
                                 {"description", option.help}};
    entries.push_back({{"type", "object"},
                       {"description", kind.summary},
                       {"properties", properties},
                       {"required", {"kind"}},
                       {"additionalProperties", false}});
  }
  return {{"type", "array"}, {"minItems", 1}, {"items", {{"oneOf", entries}}}};
}

}  // namespace lathe::experiments

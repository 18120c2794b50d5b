#include "experiments/sweep/sweep_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>

#include "experiments/config/config_document.h"
#include "experiments/config/config_values.h"
#include "experiments/config/paths.h"
#include "experiments/sweep/random_axis.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// What may stand below a key of the file, and what is done with it.
struct Entry {
  std::string name;
  std::function<void(const std::string& path, const YAML::Node&)> read;
};

void read_map(ConfigDocument& document, const std::string& section, const YAML::Node& node, const std::vector<Entry>& entries) {
  std::vector<std::string> legal;
  for (const Entry& entry : entries) legal.push_back(entry.name);
  if (!node.IsMap()) {
    document.fault(section, node, "expected a section with keys " + join(legal), text_of(node));
    return;
  }
  for (const auto& child : node) {
    const std::string name = text_of(child.first), path = section.empty() ? name : section + "." + name;
    const auto found = std::find(legal.begin(), legal.end(), name);
    if (found != legal.end()) {
      entries[static_cast<std::size_t>(found - legal.begin())].read(path, child.second);
      continue;
    }
    const std::string near = nearest_spelling(name, legal);
    document.fault(path, child.first,
                   near.empty() ? "unknown key, expected one of " + join(legal) : "unknown key, did you mean '" + near + "'?");
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : document_(path, {}) { file_.file = path; }

  SweepFile read() {
    read_map(document_, "", document_.root(),
             {value("config", file_.config),
              {"set", [&](const std::string& path, const YAML::Node& node) { read_settings(path, node); }},
              {"grid", [&](const std::string& path, const YAML::Node& node) { read_grid(path, node); }},
              {"zip", [&](const std::string& path, const YAML::Node& node) { read_zips(path, node); }},
              {"random", [&](const std::string& path, const YAML::Node& node) { read_random(path, node); }},
              value("compare", file_.compare),
              value("output", file_.output),
              value("attempts", file_.attempts, {.at_least = 1, .at_most = 100}),
              value("share_accuracies", file_.share_accuracies),
              {"local", [&](const std::string& path, const YAML::Node& node) { read_local(path, node); }},
              {"mpi", [&](const std::string& path, const YAML::Node& node) { read_mpi(path, node); }},
              {"slurm", [&](const std::string& path, const YAML::Node& node) { read_slurm(path, node); }}});
    check();
    document_.throw_faults();
    return std::move(file_);
  }

 private:
  template <typename T>
  Entry value(std::string name, T& out, Rule rule = {}) {
    return {std::move(name),
            [this, &out, rule](const std::string& path, const YAML::Node& node) { read_value(document_, path, node, rule, out); }};
  }

  // Calls take(key, path, value) for each entry of a map from keys of the config.
  void for_each_key(const std::string& section, const YAML::Node& node,
                    const std::function<void(const std::string&, const std::string&, const YAML::Node&)>& take) {
    if (!node.IsMap()) {
      document_.fault(section, node, "expected a map from keys of the config, as 'search.trials: ...'", text_of(node));
      return;
    }
    for (const auto& entry : node) take(text_of(entry.first), section + "." + text_of(entry.first), entry.second);
  }

  void claim(const std::string& key, const std::string& path, const YAML::Node& node) {
    if (!claimed_.insert(key).second) document_.fault(path, node, "this key of the config is already set or spread elsewhere in the file");
  }

  void read_settings(const std::string& section, const YAML::Node& node) {
    for_each_key(section, node, [&](const std::string& key, const std::string& path, const YAML::Node& entry) {
      claim(key, path, entry);
      file_.settings.push_back(key + "=" + flow_text(entry));
    });
  }

  std::vector<std::string> read_points(const std::string& path, const YAML::Node& node) {
    std::vector<std::string> points;
    if (!node.IsSequence() || node.size() == 0) document_.fault(path, node, "expected a list of values, at least one", text_of(node));
    if (node.IsSequence())
      for (const YAML::Node& point : node) points.push_back(flow_text(point));
    return points;
  }

  void read_grid(const std::string& section, const YAML::Node& node) {
    for_each_key(section, node, [&](const std::string& key, const std::string& path, const YAML::Node& entry) {
      claim(key, path, entry);
      Axis axis{.keys = {key}};
      for (std::string& point : read_points(path, entry)) axis.points.push_back({std::move(point)});
      file_.axes.push_back(std::move(axis));
    });
  }

  void read_zips(const std::string& section, const YAML::Node& node) {
    if (!node.IsSequence()) {
      read_zip(section, node);
      return;
    }
    for (std::size_t i = 0; i < node.size(); ++i) read_zip(section + "[" + std::to_string(i) + "]", node[i]);
  }

  void read_zip(const std::string& section, const YAML::Node& node) {
    Axis axis;
    for_each_key(section, node, [&](const std::string& key, const std::string& path, const YAML::Node& entry) {
      claim(key, path, entry);
      const std::vector<std::string> column = read_points(path, entry);
      if (axis.keys.empty()) axis.points.resize(column.size());
      if (column.size() != axis.points.size()) {
        document_.fault(path, entry,
                        "expected as many values as '" + axis.keys.front() + "' has (" + std::to_string(axis.points.size()) + ")",
                        std::to_string(column.size()));
        return;
      }
      axis.keys.push_back(key);
      for (std::size_t i = 0; i < column.size(); ++i) axis.points[i].push_back(column[i]);
    });
    file_.axes.push_back(std::move(axis));
  }

  void read_random(const std::string& section, const YAML::Node& node) {
    int count = 1;
    std::uint64_t seed = 0;
    std::vector<std::pair<std::string, SampleDistribution>> draws;
    read_map(document_, section, node,
             {value("count", count, {.at_least = 1, .at_most = 100000}),
              value("seed", seed, {.at_least = 0}),
              {"keys", [&](const std::string& keys, const YAML::Node& entries) {
                 for_each_key(keys, entries, [&](const std::string& key, const std::string& path, const YAML::Node& entry) {
                   claim(key, path, entry);
                   draws.emplace_back(key, read_distribution(document_, path, entry));
                 });
               }}});
    if (draws.empty()) document_.fault(section, node, "expected 'keys', the keys of the config that are drawn at random");
    if (!document_.has_faults()) file_.axes.push_back(draw_axis(draws, count, seed));
  }

  void read_local(const std::string& section, const YAML::Node& node) {
    const Rule count{.at_least = 0, .at_most = 1e6};
    read_map(document_, section, node,
             {value("jobs", file_.local.jobs, count), value("threads", file_.local.threads, count),
              value("memory_mb", file_.local.memory_mb, {.at_least = 0, .at_most = 1e9})});
  }

  void read_mpi(const std::string& section, const YAML::Node& node) {
    read_map(document_, section, node,
             {value("ranks", file_.mpi.ranks, {.at_least = 2, .at_most = 1e6}),
              value("command", file_.mpi.command, {.allows_single = true, .needs_entry = true})});
  }

  void read_slurm(const std::string& section, const YAML::Node& node) {
    SlurmOptions& slurm = file_.slurm;
    const Rule count{.at_least = 0, .at_most = 1e6};
    read_map(document_, section, node,
             {value("partition", slurm.partition), value("account", slurm.account), value("qos", slurm.qos),
              value("constraint", slurm.constraint), value("gres", slurm.gres), value("time", slurm.time), value("memory", slurm.memory),
              value("dependency", slurm.dependency), value("cpus", slurm.cpus, {.at_least = 1, .at_most = 4096}),
              value("max_running", slurm.max_running, count), value("requeue", slurm.requeue),
              value("signal_seconds", slurm.signal_seconds, {.at_least = 0, .at_most = 65535}), value("report", slurm.report),
              value("setup", slurm.setup, {.allows_single = true}), value("options", slurm.options, {.allows_single = true})});
  }

  void check() {
    if (file_.config.empty()) {
      if (!document_.at("config").IsDefined()) document_.fault("config", "missing; expected the config of one search");
    } else {
      const Expansion expanded = expand_environment(file_.config);
      const fs::path found = find_from(expanded.text, fs::path(file_.file).parent_path());
      if (!expanded.missing.empty())
        document_.fault("config", "the environment variable " + expanded.missing + " is not set", file_.config);
      else if (found.empty())
        document_.fault("config", "no such file", expanded.text);
      else
        file_.config = found.string();
    }
    if (file_.axes.empty() && !document_.has_faults())
      throw UserError(Fault{.file = file_.file, .expected = "expected at least one of 'grid', 'zip' and 'random'"});
    const auto has_key = [&](const Axis& axis) { return std::find(axis.keys.begin(), axis.keys.end(), file_.compare) != axis.keys.end(); };
    if (!file_.compare.empty() && std::none_of(file_.axes.begin(), file_.axes.end(), has_key))
      document_.fault("compare", "expected one of the keys that the sweep spreads", file_.compare);
    if (file_.output.empty()) file_.output = (fs::path("runs") / fs::path(file_.file).stem()).string();
  }

  ConfigDocument document_;
  SweepFile file_;
  std::set<std::string> claimed_;
};

}  // namespace

SweepFile read_sweep_file(const std::string& path) {
  return Reader(path).read();
}

}  // namespace lathe::experiments

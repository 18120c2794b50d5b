#include "experiments/provenance.h"

#include <google/protobuf/stubs/common.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <tbb/version.h>
#include <torch/version.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "evaluators/evaluation_cache.h"
#include "experiments/git_revision.h"
#include "experiments/launchers/local_launcher.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

void compare(const std::string& path, const json& then, const json& now, std::vector<std::string>& differences) {
  if (then.is_object() && now.is_object()) {
    json all = then;
    all.update(now);
    for (const auto& [key, value] : all.items()) {
      if (path.empty() && key == "started") continue;
      compare(path.empty() ? key : path + "." + key, then.value(key, json()), now.value(key, json()), differences);
    }
    return;
  }
  const auto text = [](const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  if (then != now) differences.push_back(path + ": " + text(then) + " then, " + text(now) + " now");
}

}  // namespace

json provenance_of(const Experiment& experiment) {
  utsname kernel{};
  uname(&kernel);
  return {{"lathe", LATHE_VERSION},
          {"revision", kGitRevision},
          {"compiler", __VERSION__},
          {"libraries",
           {{"libtorch", TORCH_VERSION},
            {"onetbb", TBB_runtime_version()},
            {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
            {"sqlite", sqlite3_libversion()}}},
          {"host", {{"name", kernel.nodename}, {"cpu", cpu_name()}, {"processors", processors_here()}, {"kernel", kernel.release}}},
          {"device", "cpu"},
          {"seed", experiment.config.seed},
          {"model_sha256", experiment.network.sha256},
          {"data_sha256", experiment.dataset ? evaluators::content_sha256(*experiment.dataset) : ""},
          {"started", utc_now()}};
}

std::vector<std::string> provenance_differences(const json& then, const json& now) {
  std::vector<std::string> differences;
  compare("", then, now, differences);
  return differences;
}

}  // namespace lathe::experiments

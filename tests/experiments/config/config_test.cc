// Config files: what a right one becomes, and the exact words for every wrong one.
#include "experiments/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kBad = LATHE_SOURCE_DIR "/tests/data/bad";
const std::string kLabel = kBad + "/inline.yaml";  // relative paths of inline texts are those of this folder
constexpr const char* kLeast = "model: network.onnx\ndata: {kind: idx, path: .}\ndevices: [raspberry-pi-4]\n";

std::vector<Fault> faults_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.faults();
  }
  return {};
}

std::vector<Fault> faults_of_text(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return faults_of([&] { parse_config(text, kLabel, overrides); });
}

// "LINE: KEY: EXPECTED, got 'GOT'"
std::string without_file(Fault fault) {
  fault.file.clear();
  return std::to_string(fault.line) + ": " + to_string(fault);
}

// Lines "# expect: ..." of a bad file.
std::vector<std::string> expectations(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  const std::string mark = "# expect: ";
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(mark)) lines.push_back(line.substr(mark.size()));
  return lines;
}

TEST(Config, LeastConfigHasDefaults) {
  const ExperimentConfig config = parse_config(kLeast, kLabel);
  EXPECT_EQ(config.model, fs::canonical(kBad + "/network.onnx"));
  EXPECT_EQ(config.data.path, fs::current_path());  // the current directory comes before the config's
  EXPECT_THAT(config.devices, ElementsAre("raspberry-pi-4"));
  EXPECT_EQ(config.search.trials, 300);
  EXPECT_THAT(config.objectives, ElementsAre("accuracy", "latency_ms"));
  EXPECT_EQ(config.constraints.accuracy_loss, 1.0);
  EXPECT_EQ(config.output, "runs/inline");
}

TEST(Config, SaysEveryFaultOfABadFileInItsWords) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(kBad)) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().filename());
    ++files;
    std::vector<std::string> said;
    for (const Fault& fault : faults_of([&] { load_config(entry.path()); })) {
      EXPECT_EQ(fault.file, entry.path());
      said.push_back(without_file(fault));
    }
    EXPECT_THAT(said, testing::UnorderedElementsAreArray(expectations(entry.path())));
  }
  EXPECT_GE(files, 25);
}

// The list of known devices in the message grows with every device file.
TEST(Config, UnknownDeviceNamesTheNearest) {
  const std::vector<Fault> faults =
      faults_of_text("model: network.onnx\ndata: {kind: idx, path: .}\ndevices: [nvidia-t4, raspbery-pi-4]\n");
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].line, 3);
  EXPECT_EQ(faults[0].key, "devices[1]");
  EXPECT_THAT(faults[0].expected, testing::StartsWith("unknown device; did you mean 'raspberry-pi-4'?"));
  EXPECT_EQ(faults[0].got, "raspbery-pi-4");
}

TEST(Config, MissingFile) {
  const std::vector<Fault> faults = faults_of([] { load_config("no/such.yaml"); });
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(to_string(faults[0]), "no/such.yaml: expected a config file that can be read");
  const std::vector<Fault> folder = faults_of([] { load_config(kBad); });
  ASSERT_EQ(folder.size(), 1u);
  EXPECT_EQ(to_string(folder[0]), kBad + ": is a folder, expected a config file");
}

TEST(Config, OverridesReachEveryDepth) {
  const std::string text = std::string(kLeast) + "search: {agents: [nsga2, bayes], trials: 7}\n";
  const ExperimentConfig config =
      parse_config(text, kLabel,
                   {"search.trials=40", "search.agents[1]=ddpg", "space.weight_bits=[4, 8]", "devices[0]=nvidia-t4", "recover.policies=2"});
  EXPECT_EQ(config.search.trials, 40);
  EXPECT_EQ(config.search.agents.at(1).kind, "ddpg");
  EXPECT_THAT(config.space.weight_bits, ElementsAre(4, 8));
  EXPECT_THAT(config.devices, ElementsAre("nvidia-t4"));
  EXPECT_EQ(config.recover.policies, 2);
}

TEST(Config, FaultsOfOverridesNameTheOverride) {
  const std::vector<Fault> unknown = faults_of_text(kLeast, {"search.trails=40"});
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_EQ(to_string(unknown[0]), "--set search.trails=40: search.trails: unknown key, did you mean 'trials'?");
  const std::vector<Fault> section = faults_of_text(kLeast, {"serach.trials=40"});
  ASSERT_EQ(section.size(), 1u);
  EXPECT_EQ(to_string(section[0]), "--set serach.trials=40: serach: unknown key, did you mean 'search'?");
  const std::vector<Fault> nameless = faults_of_text(kLeast, {"search.=40"});
  ASSERT_EQ(nameless.size(), 1u);
  EXPECT_EQ(to_string(nameless[0]), "--set search.=40: expected path=value, for example search.trials=40");
  const std::vector<Fault> wrong = faults_of_text(kLeast, {"search.trials=x"});
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(to_string(wrong[0]), "--set search.trials=x: search.trials: expected a whole number from 1 to 1e+07, got 'x'");
  const std::vector<Fault> shapeless = faults_of_text(kLeast, {"trials"});
  ASSERT_EQ(shapeless.size(), 1u);
  EXPECT_EQ(to_string(shapeless[0]), "--set trials: expected path=value, for example search.trials=40");
  const std::vector<Fault> beyond = faults_of_text(kLeast, {"devices[3]=nvidia-t4"});
  ASSERT_EQ(beyond.size(), 1u);
  EXPECT_EQ(to_string(beyond[0]), "--set devices[3]=nvidia-t4: expected an index of a list that has 1 entries, got '3'");
}

TEST(Config, ExpandsTheEnvironmentInPaths) {
  setenv("LATHE_TEST_FOLDER", kBad.c_str(), /*overwrite=*/1);
  const ExperimentConfig config = parse_config(
      "model: ${LATHE_TEST_FOLDER}/network.onnx\ndata: {kind: idx, path: '${LATHE_TEST_UNSET:-.}'}\ndevices: nvidia-t4\n", kLabel);
  EXPECT_EQ(config.model, fs::canonical(kBad + "/network.onnx"));
  EXPECT_TRUE(fs::is_directory(config.data.path));
  unsetenv("LATHE_TEST_FOLDER");
}

TEST(Config, AgentsWithOptionsAndLimitsByDevice) {
  const std::string text = std::string(kLeast) +
                           "search:\n  agents:\n    - {kind: nsga2, name: small, population: 12}\n    - nsga2\n"
                           "constraints:\n  latency_ms: {raspberry-pi-4: 2.5}\n  energy_mj: 3\n  accuracy_loss: 0.5\n";
  const ExperimentConfig config = parse_config(text, kLabel);
  ASSERT_EQ(config.search.agents.size(), 2u);
  EXPECT_EQ(config.search.agents[0].name, "small");
  EXPECT_EQ(config.search.agents[0].options.at("population"), 12);
  EXPECT_EQ(config.search.agents[1].name, "nsga2");
  EXPECT_EQ(config.constraints.latency_ms.of("raspberry-pi-4"), 2.5);
  EXPECT_EQ(config.constraints.latency_ms.of("nvidia-t4"), std::nullopt);
  EXPECT_EQ(config.constraints.energy_mj.of("nvidia-t4"), 3.0);
}

TEST(Config, UnknownAgentOptionNamesTheLegalOnes) {
  const std::vector<Fault> faults = faults_of_text(std::string(kLeast) + "search: {agents: [{kind: nsga2, populaton: 12}]}\n");
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].key, "search.agents[0].populaton");
  EXPECT_THAT(faults[0].expected, HasSubstr("(did you mean 'population'?)"));
}

TEST(Config, RecoveryGoesInStages) {
  const std::string stages = "{part: sparsity, epochs: 10, learning_rate: 0.05, steps: 5}, {part: widths, epochs: 4}";
  const std::string text = std::string(kLeast) + "recover: {stages: [" + stages + "]}\nspace: {sparsity: [0.5, 0.9]}\n";
  const ExperimentConfig config = parse_config(text, kLabel);
  const std::vector<evaluators::RecoveryStage> expected{
      {.part = evaluators::PolicyPart::kSparsity, .epochs = 10, .learning_rate = 0.05, .steps = 5},
      {.part = evaluators::PolicyPart::kWidths, .epochs = 4}};
  EXPECT_EQ(config.recover.recovery.stages, expected);
  EXPECT_THAT(config.space.sparsity, ElementsAre(0.5, 0.9));
  EXPECT_EQ(parse_config(to_yaml(config), kLabel).recover.recovery.stages, expected);

  const std::vector<Fault> faults =
      faults_of_text(std::string(kLeast) +
                     "recover:\n  stages:\n    - {part: widths, steps: 2}\n    - {part: chanels}\n    - {part: channels, epoch: 1}\n");
  std::vector<std::string> keys;
  for (const Fault& fault : faults) keys.push_back(fault.key);
  EXPECT_THAT(keys, testing::UnorderedElementsAre("recover.stages[0].steps", "recover.stages[1].part", "recover.stages[1].part",
                                                  "recover.stages[2].epoch", "recover.stages[2].part"));
}

TEST(Config, AccuracyAloneNeedsALimit) {
  const auto with = [](const std::string& more) { return std::string(kLeast) + "objectives: [accuracy]\n" + more; };
  EXPECT_EQ(parse_config(with("constraints: {macs: 1000}\n"), kLabel).constraints.macs, 1000);
  EXPECT_NO_THROW(parse_config(with("constraints: {latency_ms: 4}\n"), kLabel));
  const std::vector<Fault> faults = faults_of_text(with("constraints: {accuracy_loss: 1}\n"));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].key, "objectives");
  EXPECT_THAT(faults[0].expected, testing::HasSubstr("unless constraints limit one of them"));
}

TEST(Config, ResolvedYamlReadsBackToItself) {
  const std::string text =
      std::string(kLeast) + "search: {agents: [{kind: nsga2, population: 12}], trials: 5}\nconstraints: {packed_bytes: 9000}\nseed: 3\n";
  const std::string first = to_yaml(parse_config(text, kLabel));
  EXPECT_EQ(to_yaml(parse_config(first, kLabel)), first);
}

TEST(Config, TrialSettingsLeaveOutWhatAResumedRunMayChange) {
  const auto settings = [](const std::string& more) { return trial_settings(parse_config(std::string(kLeast) + more, kLabel), "abc"); };
  EXPECT_EQ(settings(""), settings("search: {threads: 2}\nrecover: {policies: 3}\noutput: elsewhere\n"));
  EXPECT_NE(settings(""), settings("seed: 1\n"));
  EXPECT_NE(settings(""), settings("space: {prune: false}\n"));
  EXPECT_THAT(settings(""), testing::Contains("model: sha256 abc"));
  // Keys that came later say nothing at their defaults, so that older runs can be resumed.
  for (const char* key :
       {"space.sparsity", "constraints.macs", "search.pretrained", "evaluator.weight_ranges", "evaluator.equalization", "evaluator.sparsification", "evaluator.bias_correction"})
    EXPECT_THAT(settings(""), testing::Not(testing::Contains(testing::StartsWith(key))));
  EXPECT_THAT(settings("space: {sparsity: [0.5]}\n"), testing::Contains("space.sparsity: [0.5]"));
}

TEST(Config, SchemaHasEveryKeyOnce) {
  const nlohmann::json schema = config_schema();
  EXPECT_EQ(schema["properties"]["search"]["properties"]["trials"]["type"], "integer");
  EXPECT_EQ(schema["properties"]["search"]["properties"]["trials"]["default"], 300);
  EXPECT_EQ(schema["properties"]["evaluator"]["properties"]["calibration"]["enum"], nlohmann::json({"min_max", "percentile", "mse", "kl"}));
  EXPECT_FALSE(schema["properties"]["search"]["additionalProperties"].get<bool>());
  EXPECT_EQ(schema["properties"]["train"]["properties"]["epochs"]["type"], "number");
  EXPECT_EQ(schema["anyOf"][1]["required"], nlohmann::json({"train"}));
}

TEST(Config, PurposeFollowsFromWhatTheFileHolds) {
  const fs::path path = fs::temp_directory_path() / "lathe_purpose_test.yaml";
  const auto purpose = [&](const std::string& text) {
    std::ofstream(path) << text;
    return purpose_of(path);
  };
  EXPECT_EQ(purpose("train: {epochs: 3}\n"), ConfigPurpose::kTrain);
  EXPECT_EQ(purpose("devices: nvidia-t4\ntrain: {epochs: 3}\n"), ConfigPurpose::kSearch);
  EXPECT_EQ(purpose("model: net.onnx\n"), ConfigPurpose::kSearch);
  EXPECT_EQ(purpose_of(path, {"train.epochs=3"}), ConfigPurpose::kTrain);
  fs::remove(path);
}

TEST(Config, ResolvedTrainingConfigReadsBackToItself) {
  const std::string text = "model: new.onnx\ndata: {kind: idx, path: .}\ntrain: {widths: [8, 16], epochs: 3}\n";
  const std::string first = to_yaml(parse_config(text, kLabel, {}, ConfigPurpose::kTrain), ConfigPurpose::kTrain);
  EXPECT_THAT(first, testing::Not(HasSubstr("devices")));
  EXPECT_EQ(to_yaml(parse_config(first, kLabel, {}, ConfigPurpose::kTrain), ConfigPurpose::kTrain), first);
}

// Device files are loaded by the tests of hwmodels/; files of sweeps are no configs.
TEST(Config, EveryShippedConfigIsRight) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(LATHE_SOURCE_DIR "/configs")) {
    const fs::path& path = entry.path();
    const fs::path folder = path.parent_path().filename();
    if (path.extension() != ".yaml" || folder == "devices" || folder == "sweeps") continue;
    SCOPED_TRACE(path);
    ++files;
    EXPECT_EQ(purpose_of(path) == ConfigPurpose::kTrain, path.parent_path().filename() == "train");
    // Whether their data lie on this machine is another matter.
    for (const Fault& fault : faults_of([&] { load_config(path, {}, purpose_of(path)); }))
      EXPECT_THAT(fault.expected, testing::AnyOf(HasSubstr("environment variable"), HasSubstr("no such"))) << to_string(fault);
  }
  EXPECT_GE(files, 5);
}

}  // namespace
}  // namespace lathe::experiments

// An experiment's limits as the search sees them.
#include "experiments/search_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/config/config.h"
#include "models/base/error.h"
#include "models/op_counts.h"
#include "policies/prune.h"
#include "search/constraints.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kSource = LATHE_SOURCE_DIR;

// A board whose calibration left its latencies uncertain by a factor of e^0.1, and a network on it; nothing is measured.
class LatencyQuantile : public testing::Test {
 protected:
  LatencyQuantile() : folder_(fs::temp_directory_path() / ("lathe_quantile_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    std::stringstream device;
    device << std::ifstream(kSource + "/configs/devices/raspberry-pi-4.yaml").rdbuf();
    std::string text = device.str();
    const std::string before = "calibrated: false";
    text.replace(text.find(before), before.size(), "calibrated: true\ncalibration: {source: made up, latency_log_deviation: 0.1}");
    std::ofstream(board()) << text;
  }
  ~LatencyQuantile() override { fs::remove_all(folder_); }

  std::string board() const { return (folder_ / "board.yaml").string(); }

  static std::unique_ptr<Experiment> experiment(const std::string& device, const std::string& constraints) {
    const std::string text = "model: " + kSource + "/configs/models/fashion_resnet.onnx\ndevices: [" + device +
                             "]\nevaluator: {kind: command, command: 'true'}\nconstraints: " + constraints + "\n";
    return std::make_unique<Experiment>(parse_config(text, "inline.yaml"), /*load_train=*/false);
  }

  // Whether the float network on the board may be measured under these constraints.
  bool admits_float_network(const std::string& constraints) const {
    const auto loaded = experiment(board(), constraints);
    const DeviceMetrics metrics(*loaded);
    const search::Problem problem = make_problem(*loaded, metrics, {.is_ok = true, .accuracy = 0.9});
    const search::ExactScore score = search::score_exactly(problem, policies::least_compressed(loaded->space));
    return search::violation(problem, problem.fronts.front(), score) == 0;
  }

  // What is wrong with the constraints.
  static std::string message_of(const std::string& device, const std::string& constraints) {
    const auto loaded = experiment(device, constraints);
    const DeviceMetrics metrics(*loaded);
    const search::Problem problem = make_problem(*loaded, metrics, {.is_ok = true, .accuracy = 0.9});
    try {
      check_constraints(*loaded, problem);
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_;
};

TEST_F(LatencyQuantile, RejectsAPolicyWhoseMedianFitsButWhoseQuantileDoesNot) {
  const double median_ms = experiment(board(), "{}")->targets.front().float_prediction.latency_ms;
  // The 90 % quantile of a log-normal latency is e^(0.1 x 1.2816) = 1.137 times its median (1.2816: the normal's quantile, by tables).
  const auto limit = [&](double factor, double quantile) {
    return "{latency_ms: " + std::to_string(median_ms * factor) + ", latency_quantile: " + std::to_string(quantile) + "}";
  };
  EXPECT_TRUE(admits_float_network(limit(1.10, 0.5)));
  EXPECT_FALSE(admits_float_network(limit(1.10, 0.9)));
  EXPECT_FALSE(admits_float_network(limit(1.13, 0.9)));
  EXPECT_TRUE(admits_float_network(limit(1.14, 0.9)));
  // An optimist's quantile lets a median pass that is above the limit.
  EXPECT_TRUE(admits_float_network(limit(0.90, 0.1)));
}

TEST_F(LatencyQuantile, NeedsADeviceWithAnErrorBar) {
  EXPECT_THAT(message_of("raspberry-pi-4", "{latency_ms: 1000, latency_quantile: 0.9}"),
              HasSubstr("inline.yaml: constraints.latency_quantile: raspberry-pi-4 is not calibrated"));
}

TEST_F(LatencyQuantile, OutOfReachIsSaidWithTheQuantile) {
  EXPECT_THAT(
      message_of(board(), "{latency_ms: 0.001, latency_quantile: 0.9}"),
      HasSubstr("constraints.latency_ms: no policy of this search space meets 0.0008797 on raspberry-pi-4 (0.001 at the quantile 0.9)"));
}

std::unique_ptr<Experiment> experiment_with(const std::string& more) {
  const std::string text = "model: " + kSource + "/configs/models/fashion_resnet.onnx\ndevices: [raspberry-pi-4]\nbatch: 3\n" +
                           "evaluator: {kind: command, command: 'true'}\n" + more;
  return std::make_unique<Experiment>(parse_config(text, "inline.yaml"), /*load_train=*/false);
}

// What the builder counts for a candidate is what op_counts counts in the network that it stands for, whatever the batch.
TEST(MacsMetric, IsThatOfThePrunedNetwork) {
  const auto loaded = experiment_with("objectives: [accuracy, macs]\n");
  policies::Candidate candidate = policies::least_compressed(loaded->space);
  EXPECT_EQ(macs(*loaded, candidate), static_cast<double>(models::total_macs(loaded->network)));
  for (int& choice : candidate.choices) choice /= 2;
  const auto kept = policies::kept_channels(loaded->network, loaded->analysis, loaded->to_policy(candidate));
  const models::Network pruned = policies::prune(loaded->network, loaded->analysis, kept);
  EXPECT_EQ(macs(*loaded, candidate), static_cast<double>(models::total_macs(pruned)));
  EXPECT_LT(macs(*loaded, candidate), 0.9 * static_cast<double>(models::total_macs(loaded->network)));
}

TEST(MacsMetric, IsLimitedAndOnlyWhereItIsAskedFor) {
  const auto metric_names = [](const search::Problem& problem) {
    std::vector<std::string> names;
    for (const search::Metric& metric : problem.metrics) names.push_back(metric.name);
    return names;
  };
  const evaluators::Evaluation float_accuracy{.is_ok = true, .accuracy = 0.9};
  const auto without = experiment_with(""), with = experiment_with("objectives: [accuracy]\nconstraints: {macs: 1000000}\n");
  const DeviceMetrics no_macs(*without), metrics(*with);
  EXPECT_THAT(metric_names(make_problem(*without, no_macs, float_accuracy)), testing::Not(testing::Contains("macs")));
  const search::Problem problem = make_problem(*with, metrics, float_accuracy);
  EXPECT_EQ(metric_names(problem).back(), "macs");
  EXPECT_EQ(problem.metrics.back().limit, 1e6);
  ASSERT_EQ(problem.fronts.size(), 1U);
  EXPECT_THAT(problem.fronts[0].metrics, testing::ElementsAre(kAccuracyMetric));
  EXPECT_THAT(problem.fronts[0].limited, testing::Contains(macs_metric(*with)));
  EXPECT_GT(search::violation(problem, problem.fronts[0], search::score_exactly(problem, policies::least_compressed(with->space))), 0);
}

TEST(MacsMetric, OutOfReachIsSaid) {
  const auto loaded = experiment_with("objectives: [accuracy]\nconstraints: {macs: 10}\n");
  const DeviceMetrics metrics(*loaded);
  const search::Problem problem = make_problem(*loaded, metrics, {.is_ok = true, .accuracy = 0.9});
  EXPECT_THAT([&] { check_constraints(*loaded, problem); },
              testing::ThrowsMessage<UserError>(HasSubstr("constraints.macs: no policy of this search space meets 10.00;")));
}

}  // namespace
}  // namespace lathe::experiments

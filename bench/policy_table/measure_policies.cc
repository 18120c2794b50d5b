// Measures the policies of the table (resnet20_lattice.h), one line each, appended to PARTS/part-SHARD.txt as soon as it is known:
// index, correct rows of the search split, correct rows of the test split.
//
//   measure_policies MODEL.onnx DATA_FOLDER PARTS [--shard 0 --shards 1 --device cuda --search-rows 2000 --test-rows 1000 --seconds 300]
//
// DATA_FOLDER holds test_batch.bin; 600 rows of its first half that the search does not see calibrate. Policies that any file of PARTS has
// are not measured again, so it may be stopped, and started with another number of shards, at any time; table_of_parts makes the table.
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bench/policy_table/resnet20_lattice.h"
#include "evaluators/accuracy.h"
#include "evaluators/calibration.h"
#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/compute_device.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "policies/candidate_index.h"
#include "policies/pruning_criterion.h"
#include "policies/quantize_network.h"

namespace {

using namespace lathe;
using policies::Candidate;

struct Arguments {
  std::string model, data, parts, device = "cpu";
  int shard = 0, shards = 1;
  std::int64_t search_rows = 2000, test_rows = 1000, calibration_rows = 256, range_rows = 64;
  double seconds = 1e9;
  bool checks = false;
};

// Decisions come stage by stage, so what candidates share are their first ones: all before the last stage, or all but its activation bits.
constexpr std::size_t kLastStage = 6, kLastActivations = 8;
constexpr const char* kLastStageLayer = "layer3.0.conv1";  // the first to read what the stages before it make

using Groups = std::map<std::vector<int>, std::vector<std::uint64_t>>;

Groups grouped(const policies::SearchSpace& lattice, const std::vector<std::uint64_t>& indices, std::size_t shared_decisions) {
  Groups groups;
  for (const std::uint64_t index : indices) {
    std::vector<int> key = policies::candidate_at(lattice, index).choices;
    key.resize(shared_decisions);
    groups[key].push_back(index);
  }
  return groups;
}

models::ValueId value_named(const models::Network& network, const std::string& name) {
  const auto value = std::find_if(network.values.begin(), network.values.end(), [&](const models::Value& v) { return v.name == name; });
  if (value == network.values.end()) throw UserError("the network has no value " + name);
  return static_cast<models::ValueId>(value - network.values.begin());
}

// The network up to the value, and from it on.
models::Network up_to(models::Network network, const std::string& value) {
  network.outputs = {value_named(network, value)};
  return models::without_dead_nodes(std::move(network));
}
models::Network from(models::Network network, const std::string& value) {
  const models::ValueId id = value_named(network, value);
  std::erase_if(network.nodes, [id](const models::Node& node) { return node.outputs[0] == id; });
  network.inputs = {id};
  return models::without_dead_nodes(std::move(network));
}

std::set<std::uint64_t> measured_indices(const std::string& parts) {
  std::set<std::uint64_t> done;
  for (const auto& entry : std::filesystem::directory_iterator(parts)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line) && !file.eof();) done.insert(std::stoull(line));  // a line that was cut has no end
  }
  return done;
}

// What policies share that differ in activation bits alone: the folded float network and the distributions of its activations.
class Calibrated {
 public:
  Calibrated(models::Network folded, const evaluators::Rows& calibration, const evaluators::CompressionOptions& options,
             const std::vector<policies::Policy>& policies)
      : folded_(std::move(folded)),
        options_(options),
        observed_(folded_, values(policies), calibration, options.batch_size, options.device) {}

  // The name of the value that the last stage reads.
  std::string boundary() const {
    const auto layer =
        std::find_if(folded_.nodes.begin(), folded_.nodes.end(), [](const models::Node& node) { return node.name == kLastStageLayer; });
    if (layer == folded_.nodes.end()) throw UserError(std::string("the network has no layer ") + kLastStageLayer);
    return folded_.value(layer->inputs[0]).name;
  }

  models::Network quantized(const policies::Policy& policy) {
    const policies::ActivationPlan plan = policies::plan_activations(folded_, policy);
    std::vector<policies::Range> ranges;
    for (const auto& point : plan.points) ranges.push_back(range(point.value, point.bits));
    return policies::bake_weight_quantization(policies::insert_fake_quantize(folded_, policy, plan, ranges, options_.weight_method));
  }

 private:
  std::vector<models::ValueId> values(const std::vector<policies::Policy>& policies) const {
    std::vector<models::ValueId> values;
    for (const policies::Policy& policy : policies) {
      for (const auto& point : policies::plan_activations(folded_, policy).points) values.push_back(point.value);
    }
    return values;
  }
  policies::Range range(models::ValueId value, int bits) {
    const auto [known, is_new] = ranges_.try_emplace({value, bits});
    if (is_new) known->second = observed_.range(value, options_.activation_method, bits);
    return known->second;
  }

  const models::Network folded_;
  const evaluators::CompressionOptions& options_;
  const evaluators::ObservedActivations observed_;
  std::map<std::pair<models::ValueId, int>, policies::Range> ranges_;
};

class Measuring {
 public:
  explicit Measuring(const Arguments& arguments)
      : arguments_(arguments),
        network_(policies::prepare_for_pruning(models::read_onnx(arguments.model))),
        analysis_(policies::analyze_coupling(network_)),
        lattice_(bench::resnet20_lattice(network_)),
        importance_(policies::weight_importance(network_, analysis_, "l1")),
        data_(evaluators::load_dataset({.kind = "cifar10",
                                        .path = arguments.data,
                                        .mean = {0.485F, 0.456F, 0.406F},
                                        .stddev = {0.229F, 0.224F, 0.225F},
                                        .search_rows = 4400})),
        calibration_(evaluators::on_device(evaluators::first_rows(data_.calibration, arguments.calibration_rows), arguments.device)),
        search_(evaluators::on_device(evaluators::first_rows(data_.search, arguments.search_rows), arguments.device)),
        test_(evaluators::on_device(evaluators::first_rows(data_.test, arguments.test_rows), arguments.device)),
        reconstruction_(network_, analysis_, data_.calibration),
        reference_(evaluators::with_calibration_statistics(network_, calibration_, base_options())) {
    options_ = base_options();
    options_.reconstruction = &reconstruction_;
    options_.batch_norm_reference = &reference_;
  }

  void run() {
    const std::set<std::uint64_t> done = measured_indices(arguments_.parts);
    std::vector<std::uint64_t> open;
    for (std::uint64_t index = 0; index < policies::space_size(lattice_); ++index) {
      if (!done.contains(index)) open.push_back(index);
    }
    std::ofstream out(arguments_.parts + "/part-" + std::to_string(arguments_.shard) + ".txt", std::ios::app);
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
    int turn = 0, measured = 0;
    for (const auto& [shared, indices] : grouped(lattice_, open, kLastStage)) {
      if (turn++ % arguments_.shards != arguments_.shard) continue;
      if (seconds() > arguments_.seconds) break;
      measure(indices, out);
      measured += static_cast<int>(indices.size());
      std::cerr << measured << " policies in " << seconds() << " s" << std::endl;
    }
  }

 private:
  evaluators::CompressionOptions base_options() const {
    return {.batch_norm_rows = arguments_.calibration_rows,
            .range_rows = arguments_.range_rows,
            .batch_size = arguments_.range_rows,
            .device = arguments_.device};
  }

  policies::Policy policy(std::uint64_t index) const {
    return bench::lattice_policy(network_, analysis_, importance_, lattice_, policies::candidate_at(lattice_, index));
  }

  // Policies that share the first two stages, which run once for all of them: nothing there depends on what comes behind.
  void measure(const std::vector<std::uint64_t>& indices, std::ostream& out) const {
    std::optional<evaluators::Rows> search, test;  // as the last stage reads them
    for (const auto& [shared, group] : grouped(lattice_, indices, kLastActivations)) {
      std::vector<policies::Policy> policies;
      for (const std::uint64_t index : group) policies.push_back(policy(index));
      const models::Network pruned = evaluators::compress_for_rounding(network_, analysis_, policies[0], calibration_, options_);
      Calibrated calibrated(models::fold_batch_norm(pruned), evaluators::first_rows(calibration_, arguments_.range_rows), options_,
                            policies);
      for (std::size_t p = 0; p < policies.size(); ++p) {
        const models::Network quantized = calibrated.quantized(policies[p]);
        if (!search) {
          const models::Executor first_stages(up_to(quantized, calibrated.boundary()), arguments_.device);
          search = through(first_stages, search_);
          test = through(first_stages, test_);
        }
        const models::Executor last_stage(from(quantized, calibrated.boundary()), arguments_.device);
        const std::int64_t search_correct = correct(last_stage, *search), test_correct = correct(last_stage, *test);
        if (arguments_.checks) check(quantized, search_correct, test_correct);
        out << group[p] << ' ' << search_correct << ' ' << test_correct << '\n' << std::flush;
      }
    }
  }

  // The whole network at once must say the same.
  void check(const models::Network& quantized, std::int64_t search_correct, std::int64_t test_correct) const {
    const models::Executor executor(quantized, arguments_.device);
    if (correct(executor, search_) != search_correct || correct(executor, test_) != test_correct)
      throw UserError("the network in two parts is not the whole network");
  }

  // The rows as the network's output, on its device.
  static evaluators::Rows through(const models::Executor& executor, const evaluators::Rows& rows) {
    const c10::NoGradGuard no_grad;
    std::vector<at::Tensor> outputs;
    for (std::int64_t begin = 0; begin < rows.size(); begin += kBatch) {
      const std::vector<at::Tensor> inputs = rows.batch(begin, std::min(rows.size(), begin + kBatch));
      outputs.push_back(executor.run(inputs)[0]);
    }
    return {.inputs = {at::cat(outputs)}, .labels = rows.labels};
  }

  static std::int64_t correct(const models::Executor& executor, const evaluators::Rows& rows) {
    const auto right = evaluators::matches(evaluators::predict(executor, rows, {.batch_size = kBatch}), evaluators::labels_of(rows));
    return std::count(right.begin(), right.end(), 1);
  }

  static constexpr std::int64_t kBatch = 1000;
  const Arguments& arguments_;
  models::Network network_;
  policies::CouplingAnalysis analysis_;
  policies::SearchSpace lattice_;
  policies::Importance importance_;
  evaluators::Dataset data_;
  evaluators::Rows calibration_, search_, test_;
  evaluators::ConsumerReconstruction reconstruction_;
  models::Network reference_;
  evaluators::CompressionOptions options_;
};

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  CLI::App app("Accuracies of the policies of the public table");
  app.add_option("model", arguments.model)->required();
  app.add_option("data", arguments.data)->required();
  app.add_option("parts", arguments.parts)->required();
  app.add_option("--shard", arguments.shard);
  app.add_option("--shards", arguments.shards);
  app.add_option("--device", arguments.device);
  app.add_option("--search-rows", arguments.search_rows);
  app.add_option("--test-rows", arguments.test_rows);
  app.add_option("--seconds", arguments.seconds, "begin nothing after so long");
  app.add_flag("--check", arguments.checks, "run each network also as a whole, and stop where that differs");
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(1);
  evaluators::check_available(arguments.device, "", "--device");
  std::filesystem::create_directories(arguments.parts);
  Measuring(arguments).run();
  return 0;
} catch (const UserError& error) {
  std::cerr << error.what() << '\n';
  return 2;
}

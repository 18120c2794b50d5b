// Pruning criteria against each other, without training: ResNet-20 on CIFAR-10, every prunable group cut to the same keep ratio, with and
// without reconstruction of the consumers, BatchNormalization statistics moved in both. Calibration, scores included, sees rows of the
// first half of the test file; accuracy is of the first ROWS images of its second half.
//
//   pruning_criteria DATA_FOLDER [ROWS]     DATA_FOLDER holds models/resnet20_cifar10.onnx and cifar10/test_batch.bin
//
// Prints Markdown tables of accuracy in %; of the random criterion the mean over three seeds.
#include <ATen/Parallel.h>

#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluators/compression.h"
#include "evaluators/consumer_reconstruction.h"
#include "evaluators/policy_evaluator.h"
#include "evaluators/pruning_importance.h"
#include "models/base/error.h"
#include "models/onnx_reader.h"
#include "policies/policy.h"
#include "policies/pruning_criterion.h"

namespace {

using namespace lathe;

const std::vector<double> kKeepRatios{0.9, 0.8, 0.7, 0.6, 0.5};
constexpr int kSeeds = 3;

class Bench {
 public:
  Bench(const std::string& folder, std::int64_t rows)
      : network_(policies::prepare_for_pruning(models::read_onnx(folder + "/models/resnet20_cifar10.onnx"))),
        analysis_(policies::analyze_coupling(network_)),
        data_(evaluators::load_dataset({.kind = "cifar10",
                                        .path = folder + "/cifar10",
                                        .mean = {0.485F, 0.456F, 0.406F},
                                        .stddev = {0.229F, 0.224F, 0.225F},
                                        .search_rows = 4400})),
        rows_(rows),
        reconstruction_(network_, analysis_, data_.calibration),
        reference_(evaluators::with_calibration_statistics(network_, data_.calibration)) {}

  double float_accuracy() const {
    return make_evaluator(nullptr).measure(network_, {.split = evaluators::Split::kTest, .rows = rows_}).accuracy;
  }

  enum class Consumers { kAsTheyAre, kReconstructed };

  void print_table(Consumers consumers) const {
    const auto evaluator = make_evaluator(consumers == Consumers::kReconstructed ? &reconstruction_ : nullptr);
    std::cout << "\n| criterion |";
    for (const double ratio : kKeepRatios) std::cout << ' ' << ratio << " |";
    std::cout << "\n|---|";
    for (std::size_t i = 0; i < kKeepRatios.size(); ++i) std::cout << "---|";
    std::cout << '\n';
    for (const std::string& criterion : policies::pruning_criteria()) {
      std::cout << "| " << criterion << " |";
      for (const double accuracy : accuracies(evaluator, criterion)) std::cout << ' ' << 100 * accuracy << " |";
      std::cout << std::endl;
    }
  }

 private:
  evaluators::PolicyEvaluator make_evaluator(const evaluators::ConsumerReconstruction* reconstruction) const {
    return evaluators::PolicyEvaluator(network_, analysis_, data_,
                                       {.compression = {.reconstruction = reconstruction, .batch_norm_reference = &reference_}});
  }

  // One for each keep ratio.
  std::vector<double> accuracies(const evaluators::PolicyEvaluator& evaluator, const std::string& criterion) const {
    const int seeds = criterion == "random" ? kSeeds : 1;
    std::vector<double> means(kKeepRatios.size(), 0.0);
    for (int seed = 0; seed < seeds; ++seed) {
      const auto importance = evaluators::channel_importance(network_, analysis_, criterion, seed, &data_.calibration);
      for (std::size_t r = 0; r < kKeepRatios.size(); ++r) {
        const auto evaluation =
            evaluator.evaluate({.policy = policy(importance, criterion, kKeepRatios[r]), .split = evaluators::Split::kTest, .rows = rows_});
        if (!evaluation.is_ok) throw std::runtime_error(evaluation.error);
        means[r] += evaluation.accuracy / seeds;
      }
    }
    return means;
  }

  policies::Policy policy(const policies::Importance& importance, const std::string& criterion, double keep_ratio) const {
    policies::Policy policy;
    for (std::size_t g = 0; g < analysis_.groups.size(); ++g) {
      const policies::CouplingGroup& group = analysis_.groups[g];
      policies::GroupPolicy entry{.name = group.name, .keep_ratio = keep_ratio, .criterion = criterion};
      if (!group.prunable) continue;
      entry.channels = policies::kept_count(entry, group);
      entry.kept = policies::most_important(importance[g], entry.channels);
      policy.groups.push_back(entry);
    }
    return policy;
  }

  models::Network network_;
  policies::CouplingAnalysis analysis_;
  evaluators::Dataset data_;
  std::int64_t rows_;
  evaluators::ConsumerReconstruction reconstruction_;
  models::Network reference_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: pruning_criteria DATA_FOLDER [ROWS]\n";
    return 2;
  }
  try {
    at::set_num_threads(1);
    const std::int64_t rows = argc > 2 ? std::atoll(argv[2]) : 5000;
    const Bench bench(argv[1], rows);
    std::cout << std::fixed << std::setprecision(1) << "Float network: " << 100 * bench.float_accuracy() << " % of " << rows
              << " held-out images.\n\nWithout reconstruction, by keep ratio:\n";
    bench.print_table(Bench::Consumers::kAsTheyAre);
    std::cout << "\nWith least-squares reconstruction of the consumers:\n";
    bench.print_table(Bench::Consumers::kReconstructed);
  } catch (const UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

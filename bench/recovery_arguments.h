// The command line of bench/recovery_training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/fitted_epochs.h"
#include "evaluators/dataset.h"
#include "evaluators/recovery.h"
#include "evaluators/sequential_reconstruction.h"

namespace CLI {
class App;
}

namespace lathe::bench {

struct RecoveryArguments {
  std::string model, output, rounding = "nearest", sparsification = "magnitude", reconstruction = "least_squares";
  std::vector<std::string> policies, splits{"test"}, stages;
  std::vector<std::uint64_t> seeds{1};
  double global_sparsity = 0;
  std::string pattern = "unstructured";  // of global_sparsity
  evaluators::DataOptions data{.kind = "cifar10", .load_train = true};
  evaluators::RecoveryOptions recovery;
  evaluators::SequentialReconstructionOptions sequential;
  LentTime lent;
};

void add_options(CLI::App& app, RecoveryArguments& arguments);
// What belongs to CIFAR-10 unless it is said otherwise, and names that stand for values. Call after parsing; throws UserError.
void complete(RecoveryArguments& arguments);

}  // namespace lathe::bench

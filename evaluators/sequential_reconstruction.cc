#include "evaluators/sequential_reconstruction.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/linear_targets.h"
#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/network_rows.h"
#include "evaluators/internal/shortcut.h"
#include "models/base/check.h"
#include "models/executor.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using internal::MeanOutlet;
using internal::Shortcut;
using models::Network;
using models::ValueId;

// A layer of the pruned network and what it should give.
struct Task {
  LinearLayer layer;
  MeanOutlet outlet;
  Shortcut shortcut;
  at::Tensor wanted;             // y without its bias, [samples, outputs]
  at::Tensor shortcut_wanted;    // s, [samples, outputs]; undefined where there is no shortcut
  at::Tensor shortcut_measured;  // s'
};

class Sequence {
 public:
  Sequence(const Network& network, const Network& pruned, const SequentialReconstructionOptions& options)
      : network_(network), executor_(pruned), options_(options) {}

  Network run(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept, const Rows& calibration) && {
    const std::int64_t rows = std::min(options_.rows, calibration.size());
    const std::vector<at::Tensor> inputs = internal::as_network_inputs(network_, calibration.batch(0, rows));
    find_tasks();
    measure_wanted(analysis, kept, inputs);
    solve_in_order(inputs);
    return executor_.snapshot();
  }

 private:
  void find_tasks() {
    const Network& pruned = executor_.network();
    for (int n = 0; n < static_cast<int>(pruned.nodes.size()); ++n) {
      const models::Node& node = pruned.nodes[static_cast<std::size_t>(n)];
      LinearLayer layer;
      if (!internal::as_linear_layer(pruned, n, layer) || layer.inputs() > options_.widest) continue;
      if (internal::uses(pruned, layer.weight) != 1) continue;
      tasks_[node.name] = {.layer = layer, .outlet = internal::mean_outlet(pruned, node), .shortcut = internal::shortcut_of(pruned, node)};
    }
  }

  // y and s of every task, of the channels that the pruned network has left.
  void measure_wanted(const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept,
                      const std::vector<at::Tensor>& inputs) {
    std::vector<internal::LinearTarget> targets;
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const models::Node& node = network_.nodes[static_cast<std::size_t>(n)];
      const auto task = tasks_.find(node.name);
      internal::LinearTarget target;
      if (task == tasks_.end() || !internal::as_linear_layer(network_, n, target.layer)) continue;
      if (task->second.shortcut.value != models::kNoValue) target.shortcut = internal::shortcut_of(network_, node).value;
      targets.push_back(target);
    }
    internal::measure_targets(network_, targets, inputs, options_.positions);
    for (internal::LinearTarget& target : targets) {
      const models::Node& node = network_.nodes[static_cast<std::size_t>(target.layer.node)];
      const auto& axes = analysis.axes[static_cast<std::size_t>(node.outputs[0])];
      const at::Tensor outputs =
          at::tensor(policies::kept_indices(target.layer.is_conv ? axes.at(1) : axes.back(), analysis, kept), at::kLong);
      Task& task = tasks_.at(node.name);
      task.wanted = target.output.index_select(1, outputs);
      if (target.shortcut_output.defined()) task.shortcut_wanted = target.shortcut_output.index_select(1, outputs);
      target.output = target.shortcut_output = at::Tensor();  // free them
    }
  }

  // One pass of the pruned network. Constants change while it runs: a layer is solved the moment its input is known.
  void solve_in_order(const std::vector<at::Tensor>& inputs) {
    std::multimap<ValueId, Task*> by_input, by_shortcut;
    models::RunOptions run;
    for (auto& [name, task] : tasks_) {
      by_input.emplace(task.layer.input, &task);
      run.observed.push_back(task.layer.input);
      if (task.shortcut.value == models::kNoValue) continue;
      by_shortcut.emplace(task.shortcut.value, &task);
      run.observed.push_back(task.shortcut.value);
    }
    run.observer = [&](ValueId id, const at::Tensor& value) {
      for (auto [entry, end] = by_shortcut.equal_range(id); entry != end; ++entry) {
        Task& task = *entry->second;
        task.shortcut_measured = internal::sampled_output(task.layer, value, options_.positions);
      }
      for (auto [entry, end] = by_input.equal_range(id); entry != end; ++entry) solve(*entry->second, value);
    };
    executor_.run(inputs, run);
  }

  void solve(Task& task, const at::Tensor& input) {
    const Network& pruned = executor_.network();
    const bool has_outlet = task.outlet.constant != models::kNoValue;
    const at::Tensor x = internal::unfolded_input(pruned, task.layer, input, options_.positions);
    const internal::CrossMoments moments = internal::cross_moments(x, target(task), has_outlet);
    task.wanted = task.shortcut_wanted = task.shortcut_measured = at::Tensor();  // free them
    const at::Tensor weight = internal::weight_matrix(pruned, task.layer);
    const double lambda = options_.ridge * moments.second.diagonal().mean().item<double>();
    const auto [factor, info] = at::linalg_cholesky_ex(moments.second + at::eye(x.size(1), at::kDouble) * lambda);
    if (info.item<std::int64_t>() != 0) return;  // inputs that are not finite, or all zero
    const at::Tensor solved = at::cholesky_solve(moments.products + lambda * weight.t(), factor).t().contiguous();
    executor_.constant(task.layer.weight).copy_(models::to_torch(internal::as_weight(pruned, task.layer, solved)));
    if (has_outlet) internal::shift_mean(executor_, task.outlet, moments.y_mean - at::mv(solved, moments.x_mean));
  }

  // A shortcut that is computed only after the layer cannot be followed.
  static at::Tensor target(const Task& task) {
    if (!task.shortcut_wanted.defined() || !task.shortcut_measured.defined()) return task.wanted;
    return task.wanted + (task.shortcut_wanted - task.shortcut_measured) / task.shortcut.gain;
  }

  const Network& network_;
  models::Executor executor_;  // of the pruned network
  const SequentialReconstructionOptions& options_;
  std::map<std::string, Task> tasks_;  // by the layer's name
};

}  // namespace

Network reconstruct_in_sequence(const Network& network, const policies::CouplingAnalysis& analysis, const policies::KeptChannels& kept,
                                const Network& pruned, const Rows& calibration, const SequentialReconstructionOptions& options) {
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  return Sequence(network, pruned, options).run(analysis, kept, calibration);
}

}  // namespace lathe::evaluators

#include "evaluators/sequential_reconstruction.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluators/compute_device.h"
#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/linear_targets.h"
#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/network_rows.h"
#include "evaluators/internal/output_path.h"
#include "evaluators/internal/rectified_least_squares.h"
#include "models/base/check.h"
#include "models/executor.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using internal::LinearTarget;
using internal::MeanOutlet;
using internal::OutputPath;
using internal::WantedOutput;
using models::Network;
using models::ValueId;

bool is_covered(const Network& network, int node, const SequentialReconstructionOptions& options, LinearLayer& layer) {
  return internal::as_linear_layer(network, node, layer) && layer.inputs() <= options.widest && internal::uses(network, layer.weight) == 1;
}

// A layer of the whole network.
struct Target {
  LinearTarget measured;
  OutputPath path;
  at::Tensor outlet;  // the constant of its mean outlet, [outputs]; undefined where it has none
};

}  // namespace

struct SequentialReconstruction::State {
  const Network& network;
  const policies::CouplingAnalysis& analysis;
  SequentialReconstructionOptions options;
  std::vector<at::Tensor> inputs;         // the calibration rows, on the device
  std::map<std::string, Target> targets;  // by the layer's name

  void measure_targets() {
    std::vector<LinearTarget> found;
    for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
      LinearTarget target;
      if (!is_covered(network, n, options, target.layer)) continue;
      target.shortcut = internal::output_path(network, network.nodes[static_cast<std::size_t>(n)]).shortcut;
      found.push_back(target);
    }
    internal::measure_targets(network, found, inputs, options.positions, options.device);
    for (const LinearTarget& target : found) {
      const models::Node& node = network.nodes[static_cast<std::size_t>(target.layer.node)];
      const MeanOutlet outlet = internal::mean_outlet(network, node);
      const bool has_outlet = outlet.constant != models::kNoValue;
      targets[node.name] = {.measured = target,
                            .path = internal::output_path(network, node),
                            .outlet = has_outlet ? models::to_torch(network.constants.at(outlet.constant)) : at::Tensor()};
    }
  }
};

namespace {

// One pruned network.
class Sequence {
 public:
  Sequence(const SequentialReconstruction::State& whole, const policies::KeptChannels& kept, const Network& pruned)
      : whole_(whole), kept_(kept), executor_(pruned, whole.options.device) {}

  // One pass of the pruned network. Constants change while it runs: a layer is solved the moment its input is known.
  Network run() && {
    find_tasks();
    std::vector<internal::LayerWatch> watches;
    for (Task& task : tasks_) {
      const auto measure_shortcut = [&](const at::Tensor& value) {
        task.shortcut_measured = internal::sampled_output(task.layer, value, whole_.options.positions);
      };
      watches.push_back({.input = task.layer.input,
                         .shortcut = task.shortcut,
                         .on_input = [&](const at::Tensor& value) { solve(task, value); },
                         .on_shortcut = measure_shortcut});
    }
    internal::run_watched(executor_, whole_.inputs, watches);
    return executor_.snapshot();
  }

 private:
  // A layer of the pruned network and what it should give.
  struct Task {
    LinearLayer layer;
    MeanOutlet outlet;
    ValueId shortcut;
    const Target* whole;
    at::Tensor shortcut_measured;  // s', [samples, outputs]
  };

  void find_tasks() {
    const Network& pruned = executor_.network();
    for (int n = 0; n < static_cast<int>(pruned.nodes.size()); ++n) {
      const models::Node& node = pruned.nodes[static_cast<std::size_t>(n)];
      const auto target = whole_.targets.find(node.name);
      LinearLayer layer;
      if (target == whole_.targets.end() || !is_covered(pruned, n, whole_.options, layer)) continue;
      tasks_.push_back({.layer = layer,
                        .outlet = internal::mean_outlet(pruned, node),
                        .shortcut = internal::output_path(pruned, node).shortcut,
                        .whole = &target->second});
    }
  }

  at::Tensor outputs_left(const Task& task) const {
    const models::Node& node = whole_.network.nodes[static_cast<std::size_t>(task.whole->measured.layer.node)];
    const auto& axes = whole_.analysis.axes[static_cast<std::size_t>(node.outputs[0])];
    return at::tensor(policies::kept_indices(task.layer.is_conv ? axes.at(1) : axes.back(), whole_.analysis, kept_), at::kLong);
  }

  // Of the channels that are left: y + (s - s') / g, and o + s' / g where a relu follows. A shortcut that is computed only after the layer
  // cannot be followed.
  WantedOutput wanted(const Task& task) const {
    const LinearTarget& measured = task.whole->measured;
    const OutputPath& path = task.whole->path;
    const at::Device device = measured.output.device();
    const at::Tensor outputs = outputs_left(task).to(device);
    WantedOutput wanted{.output = measured.output.index_select(1, outputs)};
    if (!path.gain.defined() || task.shortcut_measured.defined() != measured.shortcut_output.defined()) return wanted;
    wanted.gain = path.gain.to(device).index_select(0, outputs);
    if (task.shortcut_measured.defined())
      wanted.output += (measured.shortcut_output.index_select(1, outputs) - task.shortcut_measured) / wanted.gain;
    if (!path.is_rectified || whole_.options.relu_steps == 0) return wanted;
    wanted.offset = path.offset.to(device).index_select(0, outputs);
    if (task.shortcut_measured.defined()) wanted.offset = wanted.offset + task.shortcut_measured / wanted.gain;
    return wanted;
  }

  void solve(Task& task, const at::Tensor& input) {
    const Network& pruned = executor_.network();
    const LinearLayer& layer = task.layer;
    const bool has_outlet = task.outlet.constant != models::kNoValue;
    const WantedOutput wanted = this->wanted(task);
    task.shortcut_measured = at::Tensor();  // free it
    const at::Tensor x = internal::unfolded_windows(pruned, layer, input, whole_.options.positions);
    const std::optional<internal::Affine> solved =
        internal::rectified_least_squares(x, wanted,
                                          {.weight = internal::by_window(layer, internal::weight_matrix(pruned, layer)),
                                           .ridge = whole_.options.ridge,
                                           .has_bias = has_outlet,
                                           .relu_steps = whole_.options.relu_steps});
    if (!solved) return;  // inputs that are not finite, or all zero
    const models::Tensor weight = internal::as_weight(pruned, layer, internal::by_channel(layer, solved->weight));
    executor_.constant(layer.weight).copy_(models::to_torch(weight));
    if (!has_outlet) return;
    // The bias that was solved for is beside the whole network's; what an earlier reconstruction shifted it by is in there already.
    if (task.whole->outlet.defined())
      executor_.constant(task.outlet.constant).copy_(task.whole->outlet.index_select(0, outputs_left(task)));
    internal::shift_mean(executor_, task.outlet, solved->bias);
  }

  const SequentialReconstruction::State& whole_;
  const policies::KeptChannels& kept_;
  models::Executor executor_;
  std::vector<Task> tasks_;  // in the order of the network
};

}  // namespace

SequentialReconstruction::SequentialReconstruction(const Network& network, const policies::CouplingAnalysis& analysis,
                                                   const Rows& calibration, const SequentialReconstructionOptions& options)
    : state_(new State{.network = network, .analysis = analysis, .options = options}) {
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const FullPrecision precision(options.device);
  const Rows rows = on_device(first_rows(calibration, std::min(options.rows, calibration.size())), options.device);
  state_->inputs = internal::as_network_inputs(network, rows.batch(0, rows.size()));
  state_->measure_targets();
}

SequentialReconstruction::~SequentialReconstruction() = default;

Network SequentialReconstruction::reconstruct(const policies::KeptChannels& kept, const Network& pruned) const {
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const FullPrecision precision(state_->options.device);
  return Sequence(*state_, kept, pruned).run();
}

}  // namespace lathe::evaluators

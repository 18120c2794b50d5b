#include "evaluators/low_rank_fitting.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "evaluators/internal/input_moments.h"
#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/mean_outlet.h"
#include "models/base/check.h"
#include "policies/architecture.h"
#include "policies/low_rank.h"

namespace lathe::evaluators {
namespace {

using internal::InputMoments;
using internal::LinearLayer;
using models::Network;
using models::Node;

LinearLayer linear_layer(const Network& network, int node) {
  LinearLayer layer;
  LATHE_CHECK(internal::as_linear_layer(network, node, layer)) << network.nodes[static_cast<std::size_t>(node)].name << " was factored";
  return layer;
}

at::Tensor weight_of(const Network& network, const std::map<std::string, int>& nodes, const std::string& name) {
  return internal::weight_matrix(network, linear_layer(network, nodes.at(name)));
}

// Gives the mean of what the factors leave out to the layer's outlet. inputs: those that stay.
void make_up_for_mean(const Network& whole, const InputMoments& moments, const at::Tensor& inputs, const std::string& name,
                      Network& factored) {
  const std::map<std::string, int> nodes = models::node_indices(factored);
  const auto first = nodes.find(policies::first_factor_name(name));
  if (first == nodes.end()) return;  // its rank would have saved nothing
  const internal::MeanOutlet outlet = internal::mean_outlet(factored, factored.nodes[static_cast<std::size_t>(nodes.at(name))]);
  if (outlet.constant == models::kNoValue) return;
  const at::Tensor product = at::mm(weight_of(factored, nodes, name), weight_of(factored, nodes, first->first));
  const at::Tensor left_out = weight_of(whole, models::node_indices(whole), name) - product;
  internal::shift_mean(factored, outlet, at::mv(left_out, moments.mean.index_select(0, inputs)));
}

}  // namespace

struct LowRankFitting::State {
  const Network& network;
  const policies::CouplingAnalysis& analysis;
  std::vector<std::string> layers;
  std::map<std::string, InputMoments> moments;  // by layer, but for the widest

  // Of the layer's unfolded inputs those that stay: [inputs], long.
  at::Tensor kept_inputs(const LinearLayer& layer, const policies::KeptChannels& kept) const {
    const auto& axes = analysis.axes[static_cast<std::size_t>(layer.input)];
    return internal::unfolded_indices(policies::kept_indices(layer.is_conv ? axes.at(1) : axes.back(), analysis, kept), layer.window);
  }

  std::vector<double> covariance(const Network& whole, const Node& layer, const policies::KeptChannels& kept) const {
    const auto found = moments.find(layer.name);
    if (found == moments.end()) return {};
    const at::Tensor inputs = kept_inputs(found->second.layer, kept);
    const bool is_centred = internal::mean_outlet(whole, layer).constant != models::kNoValue;
    const at::Tensor matrix =
        internal::second_moments(found->second, is_centred).index_select(0, inputs).index_select(1, inputs).contiguous();
    return {matrix.data_ptr<double>(), matrix.data_ptr<double>() + matrix.numel()};
  }
};

LowRankFitting::LowRankFitting(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& calibration,
                               const std::vector<std::string>& layers, const ReconstructionOptions& options)
    : state_(new State{.network = network, .analysis = analysis, .layers = layers}) {
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  std::vector<LinearLayer> measured;
  for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
    LinearLayer layer;
    const std::string& name = network.nodes[static_cast<std::size_t>(n)].name;
    if (std::find(layers.begin(), layers.end(), name) == layers.end()) continue;
    if (internal::as_linear_layer(network, n, layer) && layer.inputs() <= options.widest) measured.push_back(layer);
  }
  for (InputMoments& moments : internal::measure_input_moments(
           network, measured, calibration, {.rows = options.rows, .positions = options.positions, .batch_size = options.batch_size})) {
    state_->moments.emplace(network.nodes[static_cast<std::size_t>(moments.layer.node)].name, std::move(moments));
  }
}

LowRankFitting::~LowRankFitting() = default;

bool LowRankFitting::covers(const policies::Policy& policy) const {
  const std::vector<std::string> names = policies::factored_layers(policy);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(state_->layers.begin(), state_->layers.end(), name) != state_->layers.end();
  });
}

Network LowRankFitting::rebuild(const Network& pruned, const policies::KeptChannels& kept, const policies::Policy& policy) const {
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const Network whole = policies::without_removed_blocks(pruned, policy);
  Network factored = policies::with_low_rank(whole, policy, [&](const Node& layer) { return state_->covariance(whole, layer, kept); });
  for (const std::string& name : policies::factored_layers(policy)) {
    const auto moments = state_->moments.find(name);
    if (moments == state_->moments.end()) continue;
    make_up_for_mean(whole, moments->second, state_->kept_inputs(moments->second.layer, kept), name, factored);
  }
  return factored;
}

}  // namespace lathe::evaluators

#include "evaluators/next_layer_selection.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "evaluators/internal/input_moments.h"
#include "evaluators/internal/layer_inputs.h"
#include "policies/weight_criteria.h"

namespace lathe::evaluators {
namespace {

using internal::InputMoments;
using internal::LinearLayer;
using models::Network;

std::vector<LinearLayer> linear_layers(const Network& network, std::int64_t widest) {
  std::vector<LinearLayer> layers;
  for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
    LinearLayer layer;
    if (internal::as_linear_layer(network, n, layer) && layer.inputs() <= widest) layers.push_back(layer);
  }
  return layers;
}

// E[z_c . z_d] of one layer, [channels, channels].
at::Tensor layer_products(const Network& network, const InputMoments& moments) {
  const LinearLayer& layer = moments.layer;
  const at::Tensor weight = internal::weight_matrix(network, layer);
  const at::Tensor products = moments.second * at::mm(weight.t(), weight);
  return products.reshape({layer.channels, layer.window, layer.channels, layer.window}).sum(at::IntArrayRef{1, 3});
}

// Adds a layer's products to those of each group that its input channels belong to.
void add_products(const policies::AxisExpression& axis, const at::Tensor& layer, const policies::CouplingAnalysis& analysis,
                  std::vector<at::Tensor>& products) {
  std::vector<at::Tensor> selection(products.size());  // 1 where a channel of the group stands for a channel of the layer
  policies::for_each_channel(axis, [&](std::size_t group, std::size_t index, std::size_t channel) {
    const std::int64_t channels = analysis.groups[group].channels;
    if (!selection[group].defined()) selection[group] = at::zeros({layer.size(0), channels}, at::kDouble);
    selection[group].data_ptr<double>()[channel * static_cast<std::size_t>(channels) + index] = 1;
  });
  for (std::size_t g = 0; g < products.size(); ++g) {
    if (!selection[g].defined()) continue;
    const at::Tensor of_group = at::mm(selection[g].t(), at::mm(layer, selection[g]));
    products[g] = products[g].defined() ? products[g] + of_group : of_group;
  }
}

template <typename Score>
policies::Importance score_groups(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                  const ImportanceOptions& options, Score score) {
  policies::Importance importance = policies::l1_importance(network, analysis);
  const std::vector<at::Tensor> products = contribution_products(network, analysis, rows, options);
  for (std::size_t g = 0; g < products.size(); ++g) {
    if (products[g].defined() && analysis.groups[g].prunable) importance[g] = score(products[g]);
  }
  return importance;
}

// Cyclic coordinate descent on b^T G b / 2 - b^T G 1 + lambda |b|_1, from the b that is given. `gradient` is G (b - 1), kept up to date.
// J. Friedman, T. Hastie, R. Tibshirani, Regularization Paths for Generalized Linear Models, 2010, eq. 5 (soft threshold), section 2.2.
void descend(const double* products, double lambda, std::vector<double>& factors, std::vector<double>& gradient) {
  constexpr int kMostSweeps = 200;
  constexpr double kSmallChange = 1e-9;  // of a factor, whose natural size is 1
  const std::size_t count = factors.size();
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double largest_change = 0;
    for (std::size_t c = 0; c < count; ++c) {
      const double curvature = products[c * count + c];
      if (curvature <= 0) continue;
      const double pull = curvature * factors[c] - gradient[c];
      const double factor = std::copysign(std::max(std::abs(pull) - lambda, 0.0), pull) / curvature;
      const double change = factor - factors[c];
      if (change == 0) continue;
      for (std::size_t d = 0; d < count; ++d) gradient[d] += change * products[c * count + d];
      factors[c] = factor;
      largest_change = std::max(largest_change, std::abs(change));
    }
    if (largest_change < kSmallChange) return;
  }
}

}  // namespace

std::vector<at::Tensor> contribution_products(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                              const ImportanceOptions& options) {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> products(analysis.groups.size());
  const internal::MomentOptions moment_options{.rows = options.rows, .positions = options.positions, .batch_size = options.batch_size};
  for (const auto& moments : internal::measure_input_moments(network, linear_layers(network, options.widest), rows, moment_options)) {
    const models::Node& node = network.nodes[static_cast<std::size_t>(moments.layer.node)];
    add_products(policies::input_channels(network, analysis, node), layer_products(network, moments), analysis, products);
  }
  return products;
}

std::vector<double> thinet_removal_order(const at::Tensor& products) {
  const at::Tensor dense = products.contiguous();
  const double* g = dense.data_ptr<double>();
  const auto count = static_cast<std::size_t>(dense.size(0));
  std::vector<double> order(count, -1), added(count);  // added: what removing the channel next adds to the error
  for (std::size_t c = 0; c < count; ++c) added[c] = g[c * count + c];
  for (std::size_t step = 0; step < count; ++step) {
    std::size_t best = count;
    for (std::size_t c = 0; c < count; ++c) {
      if (order[c] < 0 && (best == count || added[c] < added[best])) best = c;
    }
    order[best] = static_cast<double>(step);
    for (std::size_t c = 0; c < count; ++c) added[c] += 2 * g[best * count + c];
  }
  return order;
}

std::vector<double> lasso_entry_points(const at::Tensor& products) {
  constexpr double kStep = 0.99;    // from one lambda of the path to the next
  constexpr double kLowest = 1e-4;  // of the lambda from which on all factors are zero
  const at::Tensor dense = products.contiguous();
  const at::Tensor total = dense.sum(1);
  const auto count = static_cast<std::size_t>(dense.size(0));
  std::vector<double> entry(count, 0.0), factors(count, 0.0), gradient(count);
  for (std::size_t c = 0; c < count; ++c) gradient[c] = -total.data_ptr<double>()[c];
  const double highest = total.abs().max().item<double>();
  for (double lambda = highest * kStep; lambda > highest * kLowest; lambda *= kStep) {
    descend(dense.data_ptr<double>(), lambda, factors, gradient);
    for (std::size_t c = 0; c < count; ++c) {
      if (entry[c] > 0 || factors[c] == 0) continue;
      // Stays below the lambda before for any factor.
      entry[c] = lambda * (1 + (1 / kStep - 1) * std::abs(factors[c]) / (1 + std::abs(factors[c])));
    }
  }
  return entry;
}

policies::Importance thinet_importance(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options) {
  return score_groups(network, analysis, rows, options, thinet_removal_order);
}

policies::Importance lasso_importance(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                      const ImportanceOptions& options) {
  return score_groups(network, analysis, rows, options, lasso_entry_points);
}

}  // namespace lathe::evaluators

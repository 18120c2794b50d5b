// Channels by what the layers that read them can do without. A consumer's output is a sum over the channels it reads, y = sum_c z_c with
// z_c = W_c x_c; all that the two criteria ask of the data is the matrix of inner products, summed over the group's consumers,
//
//   G_cd = E[z_c . z_d] = sum over the entries of (E[x x^T] * W^T W) in the block of channels c, d     (* element by element)
//
//   thinet   Remove, one at a time, the channel that leaves E|sum over removed c of z_c|^2 = sum_cd G_cd smallest.
//            J.-H. Luo, J. Wu, W. Lin, ThiNet, ICCV 2017, eq. 6 and algorithm 1. Departure: the paper samples output positions and
//            filters at random; G has the expectation over all filters and over a regular grid of positions.
//   lasso    Keep the channels whose factor survives the largest lambda in min over b of E|y - sum_c b_c z_c|^2 / 2 + lambda |b|_1.
//            Y. He, X. Zhang, J. Sun, Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017, section 3.1, step (i); its
//            step (ii) is ConsumerReconstruction.
//
// Groups of which no consumer can be written as such a sum keep their order by L1.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "evaluators/dataset.h"
#include "evaluators/pruning_importance.h"
#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"

namespace lathe::evaluators {

// G of each group, [channels, channels], double; undefined for groups without such a consumer.
std::vector<at::Tensor> contribution_products(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                              const ImportanceOptions& options);

// Step at which each channel is removed, from 0.
std::vector<double> thinet_removal_order(const at::Tensor& products);
// Largest lambda, on a geometric grid, at which the channel's factor is not zero; channels of one step are told apart by the factor's size.
std::vector<double> lasso_entry_points(const at::Tensor& products);

policies::Importance thinet_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options);
policies::Importance lasso_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                      const ImportanceOptions& options);

}  // namespace lathe::evaluators

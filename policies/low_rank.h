// Layers in two factors: y = W x becomes y = U (V x) with V [rank, inputs] and U [outputs, rank]. A convolution's V has its window and
// strides and U is 1x1, so that x is the unfolded window: the spatial-channel scheme of X. Zhang, J. Zou, K. He, J. Sun, Accelerating Very
// Deep Convolutional Networks for Classification and Detection, TPAMI 38, 2016, section 3.
//
// With the covariance C of x, the best factors minimize E|W x - U V x|^2, that is |(W - U V) C^(1/2)|. Their solution is the projection on
// the leading eigenvectors U_r of the covariance of responses W C W^T (section 3.1, eq. 5): U = U_r, V = U_r^T W. P. Chen et al., DRONE,
// NeurIPS 2021, derive the same for Transformers. With C = 1 it is the truncated singular value decomposition (C. Eckart, G. Young, 1936),
// whose squared error is the sum of the squared singular values left out. Both factors get the square root of each component's size, so
// that neither has channels that quantization drowns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

// Why the layer cannot be factored; "" if it can: a Conv of one group, a plain Gemm, or a MatMul by a matrix, whose float weight is its
// own.
std::string obstacle_to_low_rank(const models::Network& network, const models::Node& layer);

// Indices of all nodes that can; ascending.
std::vector<int> factorable_layers(const models::Network& network);

// The weight as a matrix [outputs, inputs]; inputs counts a convolution's window.
struct MatrixSize {
  std::int64_t outputs = 0, inputs = 0;
};
MatrixSize matrix_size(const models::Network& network, const models::Node& layer);

// rank_ratio of the full rank min(outputs, inputs), at least 1; 0 (the layer stays whole) where two factors of it multiply as much as one.
std::int64_t rank_at(double rank_ratio, const MatrixSize& size);

// The layer keeps its name as U, so that groups keep theirs; V comes before it under this name.
std::string first_factor_name(const std::string& layer);
// The name of the layer whose first factor has this name; `name` itself for any other.
std::string factored_layer(const std::string& name);

struct LowRankFactors {
  std::vector<double> u, v;  // [outputs, rank], [rank, inputs], row-major
};
// weight: [outputs, inputs]; covariance: [inputs, inputs], positive semidefinite, or empty for the identity; row-major.
LowRankFactors low_rank_factors(const std::vector<double>& weight, const MatrixSize& size, std::int64_t rank,
                                const std::vector<double>& covariance = {});

// C for a layer of the network that is factored: [inputs, inputs], row-major; empty = the identity.
using InputCovariance = std::function<std::vector<double>(const models::Node& layer)>;

// The network with the policy's layers in two factors, those left out whose rank saves nothing. Layers that the network lacks are passed
// over; check_architecture() has said what is wrong with a policy.
models::Network with_low_rank(const models::Network& network, const Policy& policy, const InputCovariance& covariance = {});

}  // namespace lathe::policies

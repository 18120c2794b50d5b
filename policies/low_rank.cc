#include "policies/low_rank.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>

#include "models/base/check.h"
#include "models/operators.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Shape;
using models::Tensor;
using models::ValueId;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr const char* kSuffix = "/low_rank";

bool is_plain_gemm(const Node& node) {
  const models::GemmAttributes attributes = models::gemm_attributes(node);
  return attributes.alpha == 1 && attributes.beta == 1 && !attributes.transpose_a;
}

// Whether the weight is [outputs, inputs] in memory; else [inputs, outputs].
bool has_outputs_first(const Node& layer) {
  return layer.op == "Conv" || (layer.op == "Gemm" && models::gemm_attributes(layer).transpose_b);
}

// Orthonormal leading directions of the responses W x, [outputs, rank], and the standard deviation along each.
struct Directions {
  Eigen::MatrixXd vectors;
  Eigen::VectorXd deviations;
};

Directions leading(const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& solver, Eigen::Index rank) {
  // Eigen sorts ascending.
  return {.vectors = solver.eigenvectors().rightCols(rank).rowwise().reverse(),
          .deviations = solver.eigenvalues().tail(rank).reverse().cwiseMax(0).cwiseSqrt()};
}

// S with S S^T = C by the eigenvectors of C, which needs no full rank.
Eigen::MatrixXd square_root(const Eigen::MatrixXd& covariance) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

Directions response_directions(const Eigen::MatrixXd& weight, const Eigen::MatrixXd& covariance, Eigen::Index rank) {
  const bool is_white = covariance.size() == 0;
  if (weight.rows() <= weight.cols()) {
    Eigen::MatrixXd explained = weight;
    if (!is_white) explained *= covariance;
    const Eigen::MatrixXd responses = explained * weight.transpose();
    return leading(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(responses), rank);
  }
  // More outputs than inputs: by the smaller A^T A of A = W S, whose eigenvectors P give those of A A^T as A P / deviation.
  Eigen::MatrixXd a = weight;
  if (!is_white) a *= square_root(covariance);
  Directions directions = leading(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a.transpose() * a), rank);
  constexpr double kNothing = 1e-10;  // of the largest deviation: a direction in which nothing is answered
  const double least = kNothing * directions.deviations.maxCoeff();
  const Eigen::MatrixXd answered = a * directions.vectors;
  directions.vectors = Eigen::MatrixXd::Zero(weight.rows(), rank);
  for (Eigen::Index r = 0; r < rank; ++r) {
    if (directions.deviations[r] > least) directions.vectors.col(r) = answered.col(r) / directions.deviations[r];
  }
  return directions;
}

std::vector<double> to_vector(const Matrix& matrix) {
  return {matrix.data(), matrix.data() + matrix.size()};
}

// Rewrites one layer after the other.
class Factorizer {
 public:
  Factorizer(const Network& network, const InputCovariance& covariance) : network_(network), covariance_(covariance), result_(network) {}

  Network run(const std::map<std::string, double>& ratios) {
    result_.nodes.clear();
    for (Node node : network_.nodes) {
      const auto ratio = ratios.find(node.name);
      const bool is_factored = ratio != ratios.end() && obstacle_to_low_rank(network_, node).empty();
      const std::int64_t rank = is_factored ? rank_at(ratio->second, matrix_size(network_, node)) : 0;
      if (rank > 0) result_.nodes.push_back(split(node, rank));
      result_.nodes.push_back(std::move(node));
    }
    return models::without_dead_nodes(std::move(result_));
  }

 private:
  // Makes `layer` the second factor and gives the first.
  Node split(Node& layer, std::int64_t rank) {
    const MatrixSize size = matrix_size(result_, layer);
    const std::vector<double> covariance = covariance_ ? covariance_(layer) : std::vector<double>{};
    const LowRankFactors factors = low_rank_factors(matrix_of(layer, size), size, rank, covariance);
    const Shape weight = result_.value(layer.inputs[1]).shape;
    Node first{.name = first_factor_name(layer.name), .op = layer.op, .domain = layer.domain, .attributes = layer.attributes};
    Shape first_weight{rank, size.inputs}, second_weight{size.outputs, rank};
    if (layer.op == "Conv") {
      first_weight = weight;
      first_weight[0] = rank;
      second_weight = Shape(weight.size(), 1);
      second_weight[0] = size.outputs;
      second_weight[1] = rank;
      layer.attributes = {{"kernel_shape", Shape(weight.size() - 2, 1)}};
    }
    first.inputs = {layer.inputs[0], constant(layer, first.name + ".weight", factors.v, first_weight)};
    first.outputs = {inner_value(layer, first.name, rank)};
    layer.inputs[0] = first.outputs[0];
    layer.inputs[1] = constant(layer, layer.name + ".factor", factors.u, second_weight);
    return first;
  }

  std::vector<double> matrix_of(const Node& layer, const MatrixSize& size) const {
    const std::vector<float> values = result_.constants.at(layer.inputs[1]).to_floats();
    std::vector<double> matrix(values.begin(), values.end());
    if (has_outputs_first(layer)) return matrix;
    return to_vector(Eigen::Map<const Matrix>(matrix.data(), size.inputs, size.outputs).transpose());
  }

  // matrix: of shape [a, b] = the shape of the weight when that has outputs first.
  ValueId constant(const Node& layer, const std::string& name, const std::vector<double>& matrix, Shape shape) {
    std::vector<float> values(matrix.begin(), matrix.end());
    if (!has_outputs_first(layer)) {
      const Matrix turned = Eigen::Map<const Matrix>(matrix.data(), shape[0], shape[1]).transpose();
      std::copy(turned.data(), turned.data() + turned.size(), values.begin());
      std::swap(shape[0], shape[1]);
    }
    return result_.add_constant(name, Tensor::from<float>(std::move(shape), values));
  }

  // As the layer's result, with `rank` channels.
  ValueId inner_value(const Node& layer, const std::string& name, std::int64_t rank) {
    models::Value value = result_.value(layer.outputs[0]);
    value.name = name;
    value.shape[layer.op == "Conv" ? 1 : value.shape.size() - 1] = rank;
    return result_.add_value(std::move(value));
  }

  const Network& network_;
  const InputCovariance& covariance_;
  Network result_;
};

}  // namespace

std::string obstacle_to_low_rank(const Network& network, const Node& layer) {
  const int input = models::weight_input(network, layer);
  const bool is_product = layer.op == "MatMul" || (layer.op == "Gemm" && is_plain_gemm(layer));
  const bool is_plain = (layer.op == "Conv" && models::int_attribute(layer, "group", 1) == 1) || is_product;
  if (!layer.domain.empty() || input != 1 || !is_plain) return "it is no convolution of one group and no product with a constant matrix";
  const ValueId weight = layer.inputs[1];
  if (!network.is_constant(weight)) return "its weight is computed while the network runs";
  if (network.constants.at(weight).type() != models::DataType::kFloat32) return "its weight is not stored as float32";
  if (is_product && network.value(weight).shape.size() != 2) return "its weight is a stack of matrices";
  for (const Node& node : network.nodes) {
    const auto reads = std::count(node.inputs.begin(), node.inputs.end(), weight);
    if (reads > (node.name == layer.name ? 1 : 0)) return "'" + node.name + "' reads the same weight";
  }
  return "";
}

std::vector<int> factorable_layers(const Network& network) {
  std::vector<int> layers;
  for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
    if (obstacle_to_low_rank(network, network.nodes[static_cast<std::size_t>(n)]).empty()) layers.push_back(n);
  }
  return layers;
}

MatrixSize matrix_size(const Network& network, const Node& layer) {
  const Shape& shape = network.value(layer.inputs[1]).shape;
  const std::int64_t outputs = shape[has_outputs_first(layer) ? 0 : 1];
  return {.outputs = outputs, .inputs = outputs == 0 ? 0 : models::element_count(shape) / outputs};
}

std::int64_t rank_at(double rank_ratio, const MatrixSize& size) {
  if (rank_ratio >= 1) return 0;
  const double full = static_cast<double>(std::min(size.outputs, size.inputs));
  const std::int64_t rank = std::max<std::int64_t>(1, std::llround(rank_ratio * full));
  return rank * (size.outputs + size.inputs) < size.outputs * size.inputs ? rank : 0;
}

std::string first_factor_name(const std::string& layer) {
  return layer + kSuffix;
}

std::string factored_layer(const std::string& name) {
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - std::char_traits<char>::length(kSuffix)) : name;
}

LowRankFactors low_rank_factors(const std::vector<double>& weight, const MatrixSize& size, std::int64_t rank,
                                const std::vector<double>& covariance) {
  LATHE_CHECK_EQ(static_cast<std::int64_t>(weight.size()), size.outputs * size.inputs);
  LATHE_CHECK(rank >= 1 && rank <= std::min(size.outputs, size.inputs)) << "rank " << rank;
  LATHE_CHECK(covariance.empty() || static_cast<std::int64_t>(covariance.size()) == size.inputs * size.inputs);
  const Eigen::MatrixXd w = Eigen::Map<const Matrix>(weight.data(), size.outputs, size.inputs);
  const Eigen::Index inputs = covariance.empty() ? 0 : size.inputs;
  const Eigen::MatrixXd c = Eigen::Map<const Matrix>(covariance.data(), inputs, inputs);
  const Directions directions = response_directions(w, c, rank);
  Matrix u = directions.vectors, v = directions.vectors.transpose() * w;
  for (Eigen::Index r = 0; r < rank; ++r) {
    if (directions.deviations[r] <= 0) continue;
    const double root = std::sqrt(directions.deviations[r]);
    u.col(r) *= root;
    v.row(r) /= root;
  }
  return {.u = to_vector(u), .v = to_vector(v)};
}

Network with_low_rank(const Network& network, const Policy& policy, const InputCovariance& covariance) {
  std::map<std::string, double> ratios;
  for (const LayerPolicy& layer : policy.layers) {
    if (layer.rank_ratio < 1) ratios[layer.name] = layer.rank_ratio;
  }
  return ratios.empty() ? network : Factorizer(network, covariance).run(ratios);
}

}  // namespace lathe::policies

// A small Transformer, drawn by hand: blocks of self-attention and feed-forward with residuals, and a class read off the first token.
#pragma once

#include <string>

#include "tests/policies/network_sketch.h"

namespace lathe::hwmodels {

class TransformerSketch {
 public:
  static constexpr std::int64_t kTokens = 12, kHeads = 4, kHeadWidth = 8, kWidth = 24, kInner = 40;

  models::Network draw(int blocks) {
    models::ValueId x = sketch_.input();
    for (int block = 0; block < blocks; ++block) {
      const std::string name = "block" + std::to_string(block);
      x = normalized(name + "/norm1", sketch_.add(name + "/add1", x, attention(name, x)));
      const models::ValueId inner = sketch_.unary(name + "/relu", "Relu", linear(name + "/up", x, kInner));
      x = normalized(name + "/norm2", sketch_.add(name + "/add2", x, linear(name + "/down", inner, kWidth)));
    }
    const models::ValueId index = integers("index", {}, {0});
    const models::ValueId first = sketch_.node("first", "Gather", {x, index}, {models::kDynamic, kWidth}, {{"axis", std::int64_t{1}}});
    const models::ValueId weight = sketch_.constant("head.weight", {kWidth, 3});
    return sketch_.finish({sketch_.node("head", "MatMul", {first, weight}, {models::kDynamic, 3})});
  }

 private:
  models::ValueId linear(const std::string& name, models::ValueId x, std::int64_t width) {
    models::Shape shape = sketch_.shape(x);
    const models::ValueId weight = sketch_.constant(name + ".weight", {shape.back(), width});
    shape.back() = width;
    return sketch_.node(name, "MatMul", {x, weight}, shape);
  }

  models::ValueId normalized(const std::string& name, models::ValueId x) {
    const models::ValueId scale = sketch_.constant(name + ".scale", {kWidth}), bias = sketch_.constant(name + ".bias", {kWidth});
    return sketch_.node(name, "LayerNormalization", {x, scale, bias}, sketch_.shape(x), {{"axis", std::int64_t{-1}}});
  }

  models::ValueId integers(const std::string& name, models::Shape shape, const std::vector<std::int64_t>& values) {
    return sketch_.tensor(name, models::Tensor::from<std::int64_t>(std::move(shape), values));
  }

  models::ValueId split(const std::string& name, models::ValueId x, const std::vector<std::int64_t>& order) {
    const models::Shape shape{models::kDynamic, kTokens, kHeads, kHeadWidth};
    const models::ValueId heads =
        sketch_.node(name + "/heads", "Reshape", {x, integers(name + ".shape", {4}, {-1, kTokens, kHeads, kHeadWidth})}, shape);
    models::Shape turned;
    for (const std::int64_t axis : order) turned.push_back(shape[static_cast<std::size_t>(axis)]);
    return sketch_.node(name + "/turn", "Transpose", {heads}, turned, {{"perm", order}});
  }

  models::ValueId attention(const std::string& name, models::ValueId x) {
    const models::ValueId query = split(name + "/query", linear(name + "/q", x, kHeads * kHeadWidth), {0, 2, 1, 3});
    const models::ValueId key = split(name + "/key", linear(name + "/k", x, kHeads * kHeadWidth), {0, 2, 3, 1});
    const models::ValueId value = split(name + "/value", linear(name + "/v", x, kHeads * kHeadWidth), {0, 2, 1, 3});
    const models::Shape square{models::kDynamic, kHeads, kTokens, kTokens};
    const models::ValueId scores = sketch_.node(name + "/scores", "MatMul", {query, key}, square);
    const models::ValueId shares = sketch_.node(name + "/softmax", "Softmax", {scores}, square, {{"axis", std::int64_t{-1}}});
    const models::ValueId mixed = sketch_.node(name + "/mix", "MatMul", {shares, value}, {models::kDynamic, kHeads, kTokens, kHeadWidth});
    const models::ValueId back = sketch_.node(name + "/back", "Transpose", {mixed}, {models::kDynamic, kTokens, kHeads, kHeadWidth},
                                              {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    const models::ValueId joined =
        sketch_.node(name + "/join", "Reshape", {back, integers(name + ".join", {3}, {-1, kTokens, kHeads * kHeadWidth})},
                     {models::kDynamic, kTokens, kHeads * kHeadWidth});
    return linear(name + "/out", joined, kWidth);
  }

  policies::NetworkSketch sketch_{{models::kDynamic, kTokens, kWidth}};
};

}  // namespace lathe::hwmodels

// Writes quantized networks, inputs and what the simulation computes of them, for check_qdq.py to compare with ONNX Runtime.
//   qdq_cases OUT MODEL.onnx...
// One folder a network and policy in OUT: model.onnx, float.onnx, input_I.bin, simulated_I.bin (raw, native order), rows.txt.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "models/base/rng.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "policies/quantize_network.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Tensor;

constexpr std::int64_t kRows = 8;

// Normal images; token ids below the smallest vocabulary and full masks where the inputs are integers.
std::vector<at::Tensor> random_inputs(const Network& network, std::uint64_t id) {
  Rng rng(21, "qdq inputs", id);
  std::vector<at::Tensor> inputs;
  for (const models::ValueId input : network.inputs) {
    const models::Value& value = network.value(input);
    models::Shape shape = value.shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? kRows : extent;
    const auto count = static_cast<std::size_t>(models::element_count(shape));
    if (value.type == models::DataType::kInt64) {
      const bool is_mask = value.name.find("mask") != std::string::npos;
      std::vector<std::int64_t> ids(count);
      for (std::int64_t& token : ids) token = is_mask ? 1 : rng.below(20);
      inputs.push_back(models::to_torch(Tensor::from<std::int64_t>(shape, ids)));
    } else {
      std::vector<float> values(count);
      for (float& x : values) x = static_cast<float>(rng.normal());
      inputs.push_back(models::to_torch(Tensor::from<float>(shape, values)));
    }
  }
  return inputs;
}

Policy policy_of(const Network& network, const std::string& kind) {
  Policy policy;
  Rng rng(22, kind);
  for (const LayerInfo& layer : describe_layers(network)) {
    if (!layer.quantizable) continue;
    LayerPolicy entry{.name = layer.name, .weight_bits = 8, .weight_format = "int", .activation_bits = 8, .activation_format = "int"};
    entry.dynamic = kind == "dynamic";
    if (kind == "int4" || kind == "packed4") entry.weight_bits = entry.activation_bits = 4;
    if (kind == "weights") entry.activation_bits = 32, entry.activation_format = "float";
    if (kind == "mixed") {
      constexpr int kWidths[] = {2, 4, 5, 8, 16, 32};
      entry.weight_bits = kWidths[1 + rng.below(5)];
      entry.activation_bits = kWidths[1 + rng.below(5)];
      entry.weight_format = entry.weight_bits <= 8 ? "int" : "float";
      entry.activation_format = entry.activation_bits <= 8 ? "int" : "float";
    }
    policy.layers.push_back(entry);
  }
  return policy;
}

Network simulate(const Network& network, const Policy& policy) {
  const ActivationPlan plan = plan_activations(network, policy);
  std::vector<RangeObserver> observers(plan.points.size());
  models::RunOptions options;
  for (const auto& point : plan.points) options.observed.push_back(point.value);
  options.observer = [&](models::ValueId id, const at::Tensor& tensor) {
    const at::Tensor dense = tensor.contiguous();
    for (std::size_t i = 0; i < observers.size(); ++i) {
      if (plan.points[i].value == id) observers[i].observe({dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel())});
    }
  };
  const models::Executor executor(network);
  for (std::uint64_t batch = 0; batch < 4; ++batch) executor.run(random_inputs(network, batch), options);
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < observers.size(); ++i) ranges.push_back(observers[i].range(RangeMethod::kMse, plan.points[i].bits));
  return insert_fake_quantize(network, policy, plan, ranges);
}

void save(const std::filesystem::path& path, const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  std::ofstream(path, std::ios::binary).write(static_cast<const char*>(dense.data_ptr()), static_cast<std::streamsize>(dense.nbytes()));
}

void write_case(const Network& network, const std::string& kind, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const Network simulated = simulate(network, policy_of(network, kind));
  const Network lowered = lower_to_qdq(simulated, kind == "packed4" ? IntegerTypes::kInt4 : IntegerTypes::kInt8);
  models::write_onnx(network, folder / "float.onnx");
  models::write_onnx(lowered, folder / "model.onnx");
  const std::vector<at::Tensor> inputs = random_inputs(network, 99);
  const models::Executor baked(bake_weight_quantization(simulated));
  const std::vector<at::Tensor> outputs = baked.run(inputs);
  const std::vector<at::Tensor> again = models::Executor(models::read_onnx(folder / "model.onnx")).run(inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) save(folder / ("input_" + std::to_string(i) + ".bin"), inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    save(folder / ("simulated_" + std::to_string(i) + ".bin"), outputs[i]);
    save(folder / ("lowered_" + std::to_string(i) + ".bin"), again[i]);
  }
  std::ofstream(folder / "rows.txt") << kRows << '\n';
}

}  // namespace
}  // namespace lathe::policies

int main(int argc, char** argv) {
  at::set_num_threads(1);
  for (int i = 2; i < argc; ++i) {
    const std::filesystem::path path = argv[i];
    const auto network = lathe::models::fold_batch_norm(lathe::models::read_onnx(path));
    for (const char* kind : {"int8", "int4", "packed4", "weights", "mixed", "dynamic"}) {
      lathe::policies::write_case(network, kind, std::filesystem::path(argv[1]) / (path.stem().string() + "_" + kind));
    }
  }
}

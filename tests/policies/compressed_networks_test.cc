// Laws of search spaces, workloads and quantization on the small networks of tests/policies/networks and on the real ones of LATHE_DATA.
#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "models/base/rng.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/op_counts.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/quantize_network.h"
#include "policies/token_selection.h"
#include "policies/workload.h"

namespace lathe::policies {

void PrintTo(const OpWorkload& op, std::ostream* out) {
  *out << to_string(op.kind) << (op.is_fused ? " fused" : "") << " batch " << op.batch << " in " << op.in_channels << " out "
       << op.out_channels << " groups " << op.groups << " kernel " << op.kernel_height << 'x' << op.kernel_width << " from " << op.in_height
       << 'x' << op.in_width << " to " << op.out_height << 'x' << op.out_width << " macs " << op.macs << " weights " << op.weight_elements
       << " tables " << op.table_elements << " inputs " << op.input_elements << " outputs " << op.output_elements << " bits "
       << op.weight_bits << ' ' << op.input_bits << ' ' << op.output_bits;
}

void PrintTo(const LiveValue& value, std::ostream* out) {
  *out << value.first << ".." << value.last << ": " << value.elements << " of " << value.bits;
}

namespace {

using models::Network;
using models::Tensor;

constexpr std::int64_t kBatch = 2;

std::vector<std::string> onnx_files(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) {
    if (file.path().extension() == ".onnx") files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> network_files() {
  std::vector<std::string> files = onnx_files(std::filesystem::path(LATHE_BINARY_DIR) / "tests/policies/networks");
  const char* data = std::getenv("LATHE_DATA");
  const std::filesystem::path folder = data ? std::filesystem::path(data) : std::filesystem::path(LATHE_SOURCE_DIR) / "../shared/data";
  for (const std::string& file : onnx_files(folder / "models")) files.push_back(file);
  return files;
}

bool is_large(const Network& network) {
  return models::total_macs(network) > 100'000'000;
}

DeviceCapabilities device() {
  return {.channel_granularity = 2, .weight_bits = {2, 3, 4, 8, 16, 32}, .activation_bits = {4, 8, 16, 32}};
}

Candidate random_candidate(const SearchSpace& space, Rng& rng) {
  Candidate candidate;
  for (const Decision& decision : space.decisions) {
    candidate.choices.push_back(static_cast<int>(rng.below(static_cast<std::int64_t>(decision.values.size()))));
  }
  return candidate;
}

std::vector<at::Tensor> random_inputs(const Network& network, Rng& rng) {
  std::vector<at::Tensor> inputs;
  for (const models::ValueId id : network.inputs) {
    const models::Value& value = network.value(id);
    models::Shape shape = value.shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? kBatch : extent;
    const auto count = static_cast<std::size_t>(models::element_count(shape));
    const bool is_mask = value.name.find("mask") != std::string::npos;
    std::vector<float> floats(count);
    std::vector<std::int64_t> ids(count);
    for (float& x : floats) x = static_cast<float>(rng.normal());
    for (std::int64_t& x : ids) x = is_mask ? 1 : rng.below(20);
    const bool is_float = value.type == models::DataType::kFloat32;
    inputs.push_back(models::to_torch(is_float ? Tensor::from<float>(shape, floats) : Tensor::from<std::int64_t>(shape, ids)));
  }
  return inputs;
}

struct Difference {
  double largest = 0, mean = 0;              // of |a - b|
  double largest_value = 0, mean_value = 0;  // of |b|
};

Difference difference(const at::Tensor& a, const at::Tensor& b) {
  const std::vector<float> x = models::from_torch(a).to_floats(), y = models::from_torch(b).to_floats();
  Difference result;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double error = std::abs(static_cast<double>(x.at(i)) - y[i]), value = std::abs(static_cast<double>(y[i]));
    result.largest = std::max(result.largest, error);
    result.largest_value = std::max(result.largest_value, value);
    result.mean += error / static_cast<double>(y.size());
    result.mean_value += value / static_cast<double>(y.size());
  }
  return result;
}

class CompressedNetworks : public testing::TestWithParam<std::string> {
 protected:
  // Without the marks for tokens, of which token_selection_test.cc tells.
  const Network network_ = lower_token_selections(prepare_for_pruning(models::read_onnx(GetParam())));
  const CouplingAnalysis analysis_ = analyze_coupling(network_);
};

TEST_P(CompressedNetworks, WorkloadCountsTheNetworksMacs) {
  const WorkloadBuilder builder(network_, analysis_, 3);
  std::int64_t macs = 0;
  for (const OpWorkload& op : builder.build(builder.full_counts(), std::vector<WorkloadBuilder::Bits>(network_.nodes.size())).ops)
    macs += op.macs;
  EXPECT_EQ(macs, models::total_macs(network_) * 3);
}

TEST_P(CompressedNetworks, WorkloadOfACandidateIsThatOfThePrunedNetwork) {
  const SearchSpace space = make_search_space(network_, analysis_, {.channel_granularity = 1}, {.keep_ratios = {0.1, 0.3, 0.55, 0.8}});
  const auto importance = weight_importance(network_, analysis_, "l1");
  const WorkloadBuilder builder(network_, analysis_, kBatch);
  Rng rng(31, GetParam());
  for (int round = 0; round < 3; ++round) {
    const Candidate candidate = random_candidate(space, rng);
    const Policy policy = to_policy(network_, space, candidate, importance, "l1");
    const Network pruned = prune(network_, analysis_, kept_channels(network_, analysis_, policy));
    const CouplingAnalysis again = analyze_coupling(pruned);
    const Workload expected =
        WorkloadBuilder(pruned, again, kBatch)
            .build(WorkloadBuilder(pruned, again, kBatch).full_counts(), std::vector<WorkloadBuilder::Bits>(pruned.nodes.size()));
    const Workload predicted = workload_of(builder, space, candidate);
    ASSERT_EQ(predicted.ops.size(), expected.ops.size());
    for (std::size_t i = 0; i < expected.ops.size(); ++i) {
      OpWorkload op = predicted.ops[i];
      if (op.kind != expected.ops[i].kind) op.kind = expected.ops[i].kind;  // a grouped convolution may become depthwise
      EXPECT_EQ(op, expected.ops[i]) << op.name;
    }
    EXPECT_EQ(predicted.values, expected.values);
  }
}

TEST_P(CompressedNetworks, CandidateAndItsPolicyAreTheSameWorkload) {
  const SearchSpace space = make_search_space(network_, analysis_, device(), {});
  const auto importance = weight_importance(network_, analysis_, "l1");
  const WorkloadBuilder builder(network_, analysis_, 1);
  EXPECT_TRUE(to_policy(network_, space, least_compressed(space), importance, "l1").groups.empty());
  EXPECT_TRUE(to_policy(network_, space, least_compressed(space), importance, "l1").layers.empty());
  Rng rng(32, GetParam());
  for (int round = 0; round < 3; ++round) {
    const Candidate candidate = random_candidate(space, rng);
    const Policy policy = to_policy(network_, space, candidate, importance, "l1");
    const Workload a = workload_of(builder, space, candidate), b = workload_of(builder, network_, analysis_, policy);
    EXPECT_EQ(a.ops, b.ops);
    EXPECT_EQ(a.values, b.values);
  }
}

TEST_P(CompressedNetworks, DependenciesNameAllThatMatters) {
  const SearchSpace space = make_search_space(network_, analysis_, device(), {});
  const WorkloadBuilder builder(network_, analysis_, 1);
  Rng rng(33, GetParam());
  const WorkloadSetting a = setting_of(builder, space, random_candidate(space, rng)),
                        b = setting_of(builder, space, random_candidate(space, rng));
  const Workload whole = builder.build(a.kept_counts, a.bits);
  for (int op = 0; op < builder.op_count(); ++op) {
    WorkloadSetting other = b;
    const auto dependencies = builder.dependencies(op);
    for (const int group : dependencies.groups)
      other.kept_counts[static_cast<std::size_t>(group)] = a.kept_counts[static_cast<std::size_t>(group)];
    for (const int node : dependencies.nodes) other.bits[static_cast<std::size_t>(node)] = a.bits[static_cast<std::size_t>(node)];
    EXPECT_EQ(builder.build_op(op, other.kept_counts, other.bits), whole.ops[static_cast<std::size_t>(op)]);
  }
}

// The delivered network computes what the simulation does, but for rounding: a value on the edge between two levels may fall to either
// side, and one step of a narrow activation is far more than float precision. So the outputs are compared by their mean.
TEST_P(CompressedNetworks, DeliveredNetworkComputesTheSimulation) {
  const Network folded = models::fold_batch_norm(network_);
  if (is_large(folded)) GTEST_SKIP() << "check_qdq.py compares large networks";
  const SearchSpace space = make_search_space(folded, analyze_coupling(folded), device(), {.prune = false});
  Rng rng(34, GetParam());
  const std::vector<at::Tensor> inputs = random_inputs(folded, rng);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const Policy policy = to_policy(folded, space, random_candidate(space, rng), {}, "l1");
    const ActivationPlan plan = plan_activations(folded, policy);
    std::vector<RangeObserver> observers(plan.points.size());
    models::RunOptions observe;
    observe.observer = [&](models::ValueId id, const at::Tensor& tensor) {
      const at::Tensor dense = tensor.contiguous();
      for (std::size_t i = 0; i < observers.size(); ++i) {
        if (plan.points[i].value == id) observers[i].observe({dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel())});
      }
    };
    for (const auto& point : plan.points) observe.observed.push_back(point.value);
    models::Executor(folded).run(inputs, observe);
    std::vector<Range> ranges;
    for (std::size_t i = 0; i < observers.size(); ++i) ranges.push_back(observers[i].range(RangeMethod::kMinMax, plan.points[i].bits));
    const Network simulated = insert_fake_quantize(folded, policy, plan, ranges);
    models::validate(simulated);
    const Network lowered = lower_to_qdq(simulated);
    models::validate(lowered);
    const auto a = models::Executor(simulated).run(inputs), baked = models::Executor(bake_weight_quantization(simulated)).run(inputs);
    const auto b = models::Executor(lowered).run(inputs);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const Difference baking = difference(baked[i], a[i]), delivery = difference(b[i], a[i]);
      EXPECT_LE(baking.largest, 1e-5 * baking.largest_value) << "baked output " << i;
      EXPECT_LE(delivery.mean, 0.02 * delivery.mean_value + 1e-6) << "output " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CompressedNetworks, testing::ValuesIn(network_files()), [](const auto& info) {
  std::string name = std::filesystem::path(info.param).stem();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CompressedNetworks);

}  // namespace
}  // namespace lathe::policies

// Laws that every hardware model obeys, on every device file.
#include "hwmodels/hardware_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;
using policies::Workload;

// A rise below this is rounding.
constexpr double kRounding = 1e-12;

class EveryDevice : public ::testing::TestWithParam<std::string> {
 protected:
  EveryDevice() : model_(make_hardware_model(load_device(GetParam()))) {}

  double latency_ms(const OpWorkload& op) const { return model_->predict(Workload{.ops = {op}, .values = {}}).latency_ms; }

  std::unique_ptr<HardwareModel> model_;
};

const std::vector<ConvShape>& shapes() {
  static const std::vector<ConvShape> list = {
      {.in = 3, .out = 16, .size = 32},
      {.in = 16, .out = 16, .size = 32},
      {.in = 64, .out = 64, .size = 8},
      {.in = 64, .out = 128, .size = 56, .stride = 2},
      {.in = 256, .out = 512, .size = 14, .kernel = 1},
      {.in = 512, .out = 512, .size = 7},
      {.in = 96, .out = 96, .size = 56, .groups = 96},
      {.in = 960, .out = 960, .size = 7, .kernel = 5, .groups = 960},
      {.in = 64, .out = 64, .size = 28, .groups = 4},
      {.in = 2048, .out = 1000, .size = 1, .kernel = 1},
      {.in = 64, .out = 64, .size = 28, .batch = 16},
  };
  return list;
}

TEST_P(EveryDevice, LatencyDoesNotRiseWhenBitsFall) {
  if (model_->device().device_class == DeviceClass::kX86Cpu) GTEST_SKIP() << "int8 kernels may be slower than fp32 ones, see its header";
  for (ConvShape shape : shapes()) {
    for (const int fixed : {2, 4, 8, 16, 32}) {
      double before_w = 0, before_a = 0, before_both = 0;
      for (const int bits : {2, 3, 4, 5, 6, 7, 8, 16, 32}) {
        SCOPED_TRACE(::testing::Message() << shape.in << "->" << shape.out << " size " << shape.size << " bits " << bits << " other "
                                          << fixed);
        shape.weight_bits = bits;
        shape.activation_bits = fixed;
        const double w = latency_ms(conv_op(shape));
        EXPECT_GE(w, before_w * (1 - kRounding));
        before_w = w;
        shape.weight_bits = fixed;
        shape.activation_bits = bits;
        const double a = latency_ms(conv_op(shape));
        EXPECT_GE(a, before_a * (1 - kRounding));
        before_a = a;
        shape.weight_bits = bits;
        const double both = latency_ms(conv_op(shape));
        EXPECT_GE(both, before_both * (1 - kRounding));
        before_both = both;
      }
    }
  }
}

TEST_P(EveryDevice, LatencyDoesNotRiseWhenChannelsFallByAGranule) {
  const std::int64_t granule = model_->device().capabilities.channel_granularity;
  for (const int bits : {4, 8, 32}) {
    for (const std::int64_t kernel : {1, 3}) {
      for (const bool is_depthwise : {false, true}) {
        double before_in = 0, before_out = 0;
        // One channel in one group is no depthwise convolution, to frameworks neither, and runs by another kernel.
        const std::int64_t first = is_depthwise ? std::max<std::int64_t>(granule, 2) : granule;
        for (std::int64_t channels = first; channels <= 40 * granule; channels += granule) {
          SCOPED_TRACE(::testing::Message() << channels << " channels, kernel " << kernel << ", bits " << bits);
          const ConvShape narrow_in{.in = channels,
                                    .out = is_depthwise ? channels : 64,
                                    .size = 28,
                                    .kernel = kernel,
                                    .groups = is_depthwise ? channels : 1,
                                    .weight_bits = bits,
                                    .activation_bits = bits};
          const double in = latency_ms(conv_op(narrow_in));
          EXPECT_GE(in, before_in * (1 - kRounding));
          before_in = in;
          const ConvShape narrow_out{.in = 64, .out = channels, .size = 28, .kernel = kernel, .weight_bits = bits, .activation_bits = bits};
          const double out = latency_ms(conv_op(narrow_out));
          EXPECT_GE(out, before_out * (1 - kRounding));
          before_out = out;
        }
      }
    }
  }
}

TEST_P(EveryDevice, MoreWorkIsNotFree) {
  const double small = latency_ms(conv_op({.in = 64, .out = 64, .size = 28, .weight_bits = 8, .activation_bits = 8}));
  const double large = latency_ms(conv_op({.in = 512, .out = 512, .size = 56, .batch = 8, .weight_bits = 8, .activation_bits = 8}));
  EXPECT_GT(small, 0);
  EXPECT_GT(large, 2 * small);
}

TEST_P(EveryDevice, FusedOperatorsAreFree) {
  Workload workload = cifar_resnet(1, 16, 8, 8);
  const Prediction before = model_->predict(workload);
  OpWorkload relu = add_op(16 * 32 * 32, 8);
  relu.is_fused = true;
  // At the end, so that no value's index shifts.
  workload.ops.push_back(relu);
  const Prediction after = model_->predict(workload);
  EXPECT_DOUBLE_EQ(after.latency_ms, before.latency_ms);
  EXPECT_DOUBLE_EQ(after.energy_mj, before.energy_mj);
}

TEST_P(EveryDevice, EnergyIsPowerTimesTime) {
  const Prediction prediction = model_->predict(cifar_resnet(3, 16, 8, 8));
  EXPECT_GT(prediction.energy_mj, 0);
  EXPECT_NEAR(prediction.average_power_w * prediction.latency_ms, prediction.energy_mj, 1e-9 * prediction.energy_mj);
  EXPECT_GE(prediction.average_power_w, model_->device().at("static_power_w"));
  EXPECT_LT(prediction.average_power_w, 1000);
}

TEST_P(EveryDevice, AdditiveModelsAreTheSumOfTheirOperators) {
  if (!model_->is_additive()) GTEST_SKIP() << "not additive";
  const Workload workload = cifar_resnet(3, 16, 8, 8);
  const Prediction prediction = model_->predict(workload);
  double latency = 0, energy = 0;
  for (const OpWorkload& op : workload.ops) {
    latency += model_->op_cost(op).latency_ms;
    energy += model_->op_cost(op).energy_mj;
  }
  EXPECT_NEAR(prediction.latency_ms, latency, 1e-12 * latency);
  EXPECT_NEAR(prediction.energy_mj, energy, 1e-12 * energy);
  EXPECT_EQ(prediction.layers.size(), workload.ops.size());
}

TEST_P(EveryDevice, BoundsAreNamed) {
  const Prediction prediction = model_->predict(cifar_resnet(1, 16, 8, 8));
  for (const LayerPrediction& layer : prediction.layers) {
    EXPECT_THAT(layer.bound, ::testing::AnyOf("compute", "memory", "overhead")) << layer.name;
  }
}

TEST_P(EveryDevice, EmptyNetworkCostsNothingButItsStart) {
  const Prediction prediction = model_->predict({});
  EXPECT_TRUE(prediction.is_feasible);
  EXPECT_GE(prediction.latency_ms, 0);
  EXPECT_LT(prediction.latency_ms, 1);
  EXPECT_EQ(prediction.weight_bytes, 0);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(HardwareModel, EveryDevice, ::testing::ValuesIn(device_names()), test_name);

Prediction predict(const std::string& device, const Workload& workload) {
  return make_hardware_model(load_device(device))->predict(workload);
}

TEST(HardwareModel, IntegerOnlyDevicesSayThatTheyChargeFloatAsEightBits) {
  for (const char* device : {"xilinx-zcu102-dpu", "bismo-pynq-z1"}) {
    const Prediction wide = predict(device, cifar_resnet(3, 16, 32, 32));
    const Prediction narrow = predict(device, cifar_resnet(3, 16, 8, 8));
    EXPECT_EQ(wide.latency_ms, narrow.latency_ms) << device;
    ASSERT_EQ(wide.notes.size(), 1u);
    EXPECT_THAT(wide.notes[0], ::testing::HasSubstr("20 layers are wider than the device computes and are charged as 8-bit integers"));
    EXPECT_TRUE(narrow.notes.empty());
  }
}

TEST(HardwareModel, BitSerialTimeIsProportionalToTheBitProducts) {
  // 8 x 8 outputs of depth 256 fill the array: compute is 64 times as long for 8 x 8 bits as for 1 x 1, 16 times that of 2 x 2.
  const auto latency = [](int weight_bits, int activation_bits) {
    DeviceSpec spec = load_device("bismo-pynq-z1");
    spec.parameters["op_overhead_s"] = 1e-12;
    spec.parameters["dram_bytes_per_s"] = 1e15;
    const OpWorkload op =
        conv_op({.in = 256, .out = 256, .size = 32, .kernel = 1, .weight_bits = weight_bits, .activation_bits = activation_bits});
    return make_hardware_model(spec)->predict({.ops = {op}, .values = {}}).latency_ms;
  };
  EXPECT_NEAR(latency(8, 8) / latency(2, 2), 16, 1e-5);
  EXPECT_NEAR(latency(8, 4) / latency(2, 4), 4, 1e-5);
}

TEST(HardwareModel, DpuCountsTheCeilingsOfItsThreeParallelAxes) {
  DeviceSpec spec = load_device("xilinx-zcu102-dpu");
  spec.parameters["op_overhead_s"] = 1e-15;
  spec.parameters["dram_bytes_per_s"] = 1e18;
  spec.parameters["array_efficiency"] = 1;
  const auto model = make_hardware_model(spec);
  // 10x10 outputs: 2 groups of 8 pixels a row, 10 rows; 20 input channels take 2 rounds of 16, 40 output channels 3; 9 taps: 1080 cycles.
  const OpWorkload op = conv_op({.in = 20, .out = 40, .size = 10, .weight_bits = 8, .activation_bits = 8});
  EXPECT_NEAR(model->op_cost(op).latency_ms, 1080 / 2.81e8 * 1e3, 1e-9);
}

TEST(HardwareModel, TooLargeANetworkIsInfeasibleWithAReason) {
  DeviceSpec spec = load_device("raspberry-pi-4");
  spec.parameters["memory_bytes"] = 1000;
  const Prediction prediction = make_hardware_model(spec)->predict(cifar_resnet(3, 16, 8, 8));
  EXPECT_FALSE(prediction.is_feasible);
  EXPECT_THAT(prediction.reason, ::testing::HasSubstr("the device has 1000"));
}

TEST(HardwareModel, GpuLatencyStepsWithTheTileOfOutputChannels) {
  // 64 x 14 x 14 pixels fill the multiprocessors once for up to 64 channels: a layer of 8 channels is no quicker than one of 64, and
  // one of 264 is dearer than one of 256.
  const auto model = make_hardware_model(load_device("nvidia-h200"));
  const auto latency = [&](std::int64_t out) {
    return model->op_cost(conv_op({.in = 256, .out = out, .size = 14, .batch = 64, .weight_bits = 16, .activation_bits = 16})).latency_ms;
  };
  EXPECT_NEAR(latency(40), latency(64), 0.1 * latency(64));  // only the bytes written differ
  EXPECT_GT(latency(264), 1.2 * latency(256));
}

}  // namespace
}  // namespace lathe::hwmodels

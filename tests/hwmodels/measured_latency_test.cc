// Predictions from data sheets against published measurements: within a factor of two in the median, and in the right order. Calibration
// is what makes them closer; this only shows that the physics is right.
#include <gtest/gtest.h>

#include <cmath>
#include <iomanip>
#include <iostream>

#include "bench/measurements/measured_networks.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/hardware_model.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using measurements::CsvRow;
using measurements::imagenet_resnet;
using measurements::measurement_folder;
using measurements::median;
using measurements::nasbench201_network;
using measurements::ncnn_networks;
using measurements::read_csv;
using measurements::spearman;

struct Agreement {
  std::vector<double> predicted, measured;
  std::vector<std::string> names;

  void add(const std::string& name, double predicted_ms, double measured_ms) {
    names.push_back(name);
    predicted.push_back(predicted_ms);
    measured.push_back(measured_ms);
  }
  std::vector<double> ratios() const {
    std::vector<double> result;
    for (std::size_t i = 0; i < predicted.size(); ++i) result.push_back(predicted[i] / measured[i]);
    return result;
  }
  // Median of the factor by which a prediction is off, either way.
  double median_factor() const {
    std::vector<double> factors;
    for (const double ratio : ratios()) factors.push_back(std::exp(std::abs(std::log(ratio))));
    return median(factors);
  }
  double rank_correlation() const { return spearman(predicted, measured); }
  void print(const std::string& title) const {
    std::cout << std::setprecision(3) << title << ": " << predicted.size() << " rows, median predicted/measured " << median(ratios())
              << ", median factor off " << median_factor() << ", Spearman " << rank_correlation() << '\n';
    if (std::getenv("LATHE_TEST_VERBOSE") == nullptr) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::cout << "  " << std::setw(28) << std::left << names[i] << std::right << std::setw(10) << predicted[i] << std::setw(10)
                << measured[i] << std::setw(8) << predicted[i] / measured[i] << '\n';
    }
  }
};

class Measured : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = measurement_folder();
    if (folder_.empty()) GTEST_SKIP() << "no measurements: set LATHE_DATA to the folder that holds hw/";
  }
  std::string folder_;
};

double predict_ms(const HardwareModel& model, const policies::Workload& workload) {
  return model.predict(workload).latency_ms;
}

// A row of ncnn's tables: a chip of the same core as one of our devices, at its own clock.
struct NcnnCase {
  const char* device;    // our file
  const char* measured;  // device column
  const char* threads;
  const char* powersave;
  double clock_hz;
  int float_bits;  // ncnn computes in fp16 where the core can
};

class MeasuredNcnn : public Measured, public ::testing::WithParamInterface<NcnnCase> {};

TEST_P(MeasuredNcnn, WithinAFactorOfTwoAndInOrder) {
  const NcnnCase& c = GetParam();
  DeviceSpec spec = load_device(c.device);
  spec.parameters["clock_hz"] = c.clock_hz;
  spec.parameters["threads"] = std::stod(c.threads);
  const auto model = make_hardware_model(spec);
  const auto networks = ncnn_networks(folder_ + "/ncnn_bench/networks_ncnn.csv.gz", c.float_bits);
  ASSERT_FALSE(networks.empty());
  Agreement all, speedup;
  std::map<std::string, std::pair<double, double>> times;
  for (const CsvRow& row : read_csv(folder_ + "/ncnn_bench/ncnn_latency_dev.csv")) {
    if (row.at("device") != c.measured || row.at("threads") != c.threads || row.at("powersave") != c.powersave || row.at("gpu") != "0")
      continue;
    const auto network = networks.find(row.at("network"));
    if (network == networks.end()) continue;
    const double predicted = predict_ms(*model, network->second), measured = std::stod(row.at("min_ms"));
    all.add(row.at("network"), predicted, measured);
    times[row.at("network")] = {predicted, measured};
  }
  for (const auto& [name, time] : times) {
    const auto int8 = times.find(name + "_int8");
    if (int8 != times.end()) speedup.add(name, time.first / int8->second.first, time.second / int8->second.second);
  }
  all.print(std::string(c.measured) + " x" + c.threads + " against " + c.device);
  speedup.print("  speed-up by int8");
  EXPECT_LT(all.median_factor(), 2);
  EXPECT_GT(all.rank_correlation(), 0.9);
  // Where float is fp16, ncnn's int8 kernels lag behind what SDOT can do (the table has int8 slower than fp16 on several networks).
  EXPECT_LT(speedup.median_factor(), c.float_bits == 32 ? 1.25 : 1.9);
}

INSTANTIATE_TEST_SUITE_P(
    Cores, MeasuredNcnn,
    ::testing::Values(NcnnCase{"raspberry-pi-4", "rpi4", "1", "0", 1.8e9, 32}, NcnnCase{"raspberry-pi-4", "rpi4", "4", "0", 1.8e9, 32},
                      NcnnCase{"raspberry-pi-4", "rk3399", "2", "2", 1.8e9, 32}, NcnnCase{"raspberry-pi-3", "sd410", "1", "0", 1.2e9, 32},
                      NcnnCase{"raspberry-pi-3", "sd410", "4", "0", 1.2e9, 32}, NcnnCase{"raspberry-pi-5", "rpi5", "1", "0", 2.4e9, 16},
                      NcnnCase{"raspberry-pi-5", "rpi5", "4", "0", 2.4e9, 16},
                      NcnnCase{"neoverse-n1", "kunpeng920_7260", "1", "0", 2.6e9, 16},
                      NcnnCase{"neoverse-n1", "kunpeng920_7260", "4", "0", 2.6e9, 16},
                      NcnnCase{"apple-m1", "macbook_m1", "1", "0", 3.2e9, 16}),
    [](const auto& info) { return std::string(info.param.measured) + "_x" + info.param.threads; });

TEST_F(Measured, NasBench201OnRaspberryPi4) {
  // The source names no thread count; TensorFlow Lite, which HW-NAS-Bench used on this board, defaults to one and has no Winograd.
  DeviceSpec spec = load_device("raspberry-pi-4");
  spec.parameters["threads"] = 1;
  spec.parameters["winograd_efficiency"] = 1e-3;
  const auto model = make_hardware_model(spec);
  Agreement agreement;
  for (const CsvRow& row : read_csv(folder_ + "/help_nasbench201/nb201_latency_dev.csv")) {
    // The runtime folds cells whose output does not depend on the input (the data's README).
    if (row.at("connected") != "1") continue;
    agreement.add(row.at("index"), predict_ms(*model, nasbench201_network(row)), std::stod(row.at("raspi4")));
  }
  ASSERT_GT(agreement.predicted.size(), 2000u);
  agreement.print("NAS-Bench-201 on raspi4");
  EXPECT_LT(agreement.median_factor(), 2);
  EXPECT_GT(agreement.rank_correlation(), 0.9);
}

TEST_F(Measured, H200NetworksAndConvolutions) {
  Agreement networks, layers;
  for (const CsvRow& row : read_csv(folder_ + "/h200/h200_dev.csv")) {
    DeviceSpec spec = load_device("nvidia-h200");
    if (row.at("dtype") == "fp32") spec.parameters.erase("tf32_macs_per_cycle");
    const auto model = make_hardware_model(spec);
    const int bits = row.at("dtype") == "fp16" ? 16 : 32;
    const std::int64_t batch = std::stoll(row.at("batch"));
    const std::string name = row.at("model") + " " + row.at("width") + " b" + row.at("batch") + " " + row.at("dtype");
    const double measured = std::stod(row.at("median_ms"));
    if (row.at("model") == "resnet18" || row.at("model") == "resnet50") {
      const int depth = row.at("model") == "resnet18" ? 18 : 50;
      const auto workload = imagenet_resnet(depth, std::stod(row.at("width")), batch, bits, /*is_unfused=*/true);
      networks.add(name, predict_ms(*model, workload), measured);
    } else if (row.at("kind") == "conv3x3") {
      std::int64_t size = 0, in = 0;
      ASSERT_EQ(std::sscanf(row.at("model").c_str(), "h%ld_ci%ld", &size, &in), 2);
      const auto op = conv_op(
          {.in = in, .out = std::stoll(row.at("width")), .size = size, .batch = batch, .weight_bits = bits, .activation_bits = bits});
      layers.add(name, predict_ms(*model, {.ops = {op}, .values = {}}), measured);
    }
  }
  ASSERT_GT(networks.predicted.size(), 20u);
  ASSERT_GT(layers.predicted.size(), 100u);
  networks.print("H200 networks");
  layers.print("H200 3x3 convolutions");
  EXPECT_LT(networks.median_factor(), 2);
  EXPECT_GT(networks.rank_correlation(), 0.95);
  EXPECT_LT(layers.median_factor(), 2);
  EXPECT_GT(layers.rank_correlation(), 0.85);
}

TEST_F(Measured, DpuResNet50OnZcu102) {
  const auto model = make_hardware_model(load_device("xilinx-zcu102-dpu"));
  Agreement agreement;
  for (const CsvRow& row : read_csv(folder_ + "/vitis_dpu/dpu_perf_dev.csv")) {
    if (row.at("board").rfind("ZCU102", 0) != 0 || row.at("family") != "resnet50" || row.at("in_h") != "224" || row.at("suspect") == "1")
      continue;
    if (row.at("pruned_ratio") != "0.0") continue;
    agreement.add(row.at("model"), predict_ms(*model, imagenet_resnet(50, 1, 1, 8, /*is_unfused=*/false)),
                  1e3 / std::stod(row.at("fps_single_thread")));
  }
  ASSERT_FALSE(agreement.predicted.empty());
  agreement.print("ResNet-50 on the DPU");
  EXPECT_LT(agreement.median_factor(), 1.5);
}

}  // namespace
}  // namespace lathe::hwmodels

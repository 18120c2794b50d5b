#include "bench/hardware_truth/ncnn_rows.h"

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>

#include "bench/hardware_truth/arm_data_sheet.h"
#include "bench/measurements/measured_networks.h"
#include "hwmodels/hardware_model.h"

namespace lathe::bench {
namespace {

using hwmodels::DeviceSpec;
using measurements::CsvRow;
using measurements::number;
using policies::OpKind;
using policies::OpWorkload;
using policies::Workload;

// The products of attention and of its feed-forward layers are not the tuned kernels of the convolutions: on the boards of the public
// table, the vision transformer takes 5.4 times (median) what those would take.
constexpr double kPlainProductSlowdown = 6;

using KernelTimes = std::array<double, kNcnnKernels>;  // ms

NcnnKernel kernel_of(const OpWorkload& op) {
  const bool is_int8 = op.weight_bits == 8;
  switch (op.kind) {
    case OpKind::kDepthwiseConv:
      return is_int8 ? kInt8Depthwise : kDepthwise;
    case OpKind::kConv:
    case OpKind::kConvTranspose: {
      const bool is_pointwise = op.kernel_height == 1 && op.kernel_width == 1;
      const bool is_winograd_able = op.kernel_height == 3 && op.kernel_width == 3 && op.stride_height == 1;
      if (is_int8) return is_pointwise ? kInt8Pointwise : is_winograd_able ? kInt8Winograd : kInt8Windowed;
      if (op.groups > 1) return kGrouped;
      return is_pointwise ? kPointwise : is_winograd_able ? kWinograd : kWindowed;
    }
    case OpKind::kGemm:
    case OpKind::kMatMul:
      return op.out_height > 1 ? kAttention : kDense;
    default:
      return op.input_bits != op.output_bits ? kQuantization : kVector;
  }
}

// The device with memory that costs nothing.
DeviceSpec without_memory(DeviceSpec device) {
  constexpr double kNoLimit = 1e18;
  for (const char* key : {"dram_bytes_per_s", "core_dram_bytes_per_s", "cache_bytes_per_cycle", "core_cache_bytes_per_cycle"}) {
    device.parameters[key] = kNoLimit;
  }
  return device;
}

// A device and thread count with its networks' times.
class RunPredictor {
 public:
  RunPredictor(DeviceSpec device, const std::map<std::string, Workload>& networks)
      : overhead_ms_(1e3 * (device.at("op_overhead_s") + device.at("thread_overhead_s") * std::log2(device.at("threads")))),
        arithmetic_(hwmodels::make_hardware_model(without_memory(device))),
        all_(hwmodels::make_hardware_model(std::move(device))),
        networks_(networks) {}

  KernelTimes times(const std::string& network) const {
    KernelTimes times{};
    for (const OpWorkload& op : networks_.at(network).ops) {
      if (op.is_fused) continue;
      const double arithmetic_ms = arithmetic_->op_cost(op).latency_ms;
      const NcnnKernel kernel = kernel_of(op);
      times[kernel] += (arithmetic_ms - overhead_ms_) * (kernel == kAttention ? kPlainProductSlowdown : 1);
      times[kMemory] += all_->op_cost(op).latency_ms - arithmetic_ms;
      times[kOverhead] += overhead_ms_;
    }
    return times;
  }

 private:
  double overhead_ms_;
  std::unique_ptr<hwmodels::HardwareModel> arithmetic_, all_;
  const std::map<std::string, Workload>& networks_;
};

// ncnn stores weights of dense layers as fp16 where the core converts it, whatever it computes in.
std::map<std::string, Workload> networks_for(const ArmCore& core, const std::map<std::string, Workload>& networks) {
  constexpr double kConvertsFp16 = 4;  // NEON of the first generation (A8, A9) lacks the conversion; its cores are narrow
  std::map<std::string, Workload> stored = networks;
  if (core.has_fp16 || core.fp32_macs_per_cycle < kConvertsFp16) return stored;
  for (auto& [name, workload] : stored) {
    for (OpWorkload& op : workload.ops) {
      if (kernel_of(op) == kDense && op.weight_bits == 32) op.weight_bits = 16;
    }
  }
  return stored;
}

std::string family_of(const std::string& network) {
  const std::string suffix = "_int8";
  return network.ends_with(suffix) ? network.substr(0, network.size() - suffix.size()) : network;
}

int number_of(const std::string& name, std::map<std::string, int>& numbers) {
  return numbers.try_emplace(name, static_cast<int>(numbers.size())).first->second;
}

Eigen::RowVectorXd hardware_row(const ArmBoard& board, const ArmRun& run) {
  const ArmCore& core = run.slowest.core;
  const double macs_per_s = core.fp32_macs_per_cycle * (core.has_fp16 ? 2 : 1) * run.slowest.clock_hz * run.threads;
  const double bytes_per_s = std::min(board.dram_bytes_per_s, core.dram_bytes_per_s * run.threads);
  Eigen::RowVectorXd row(5);
  // Centred and scaled over the cores of the data sheets.
  row << (core.has_fp16 ? 0.5 : -0.5), core.out_of_order - 0.5, (std::log2(run.threads) - 1.5) / 2, std::log(run.slowest.clock_hz / 1.65e9),
      std::log(bytes_per_s / macs_per_s) / 2 + 0.75;
  return row;
}

class NcnnReader {
 public:
  explicit NcnnReader(const DataFolder& data) {
    const std::string layers = data.find("ncnn_bench/networks_ncnn.csv.gz").string();
    for (const int bits : {16, 32}) networks_[bits] = measurements::ncnn_networks(layers, bits);
    for (CsvRow& row : data.rows("ncnn_bench/ncnn_latency_dev.csv",
                                 {"device", "title", "arch", "soc_group", "run", "threads", "network", "precision", "min_ms"})) {
      const bool is_arm_cpu = row.at("arch") == "arm" && number(row, "gpu") == 0 && number(row, "min_ms") > 0;
      if (is_arm_cpu && networks_.at(32).contains(row.at("network"))) rows_.push_back(std::move(row));
    }
    if (rows_.empty()) throw MissingData("no CPU rows of ARM boards");
  }

  NcnnTable table() {
    NcnnTable table;
    const auto count = static_cast<Eigen::Index>(rows_.size());
    table.log_measured.resize(count);
    table.log_predicted.resize(count);
    table.shares.resize(count, kNcnnKernels);
    table.hardware.resize(count, 5);
    for (Eigen::Index i = 0; i < count; ++i) add(rows_[static_cast<std::size_t>(i)], i, table);
    return table;
  }

 private:
  void add(const CsvRow& row, Eigen::Index i, NcnnTable& table) {
    const ArmBoard board = sheets_.board(row.at("title"));
    const ArmRun run = run_on(board, static_cast<int>(number(row, "threads", 1)), static_cast<CoreChoice>(number(row, "powersave")));
    const std::string& network = row.at("network");
    const KernelTimes times = predictor(row.at("device"), board, run).times(network);
    const Eigen::Map<const Eigen::RowVectorXd> kernels(times.data(), kNcnnKernels);
    constexpr double kMillis = 1e3;
    table.log_measured[i] = std::log(number(row, "min_ms") / kMillis);
    table.log_predicted[i] = std::log(kernels.sum() / kMillis);
    table.shares.row(i) = kernels / kernels.sum();
    table.hardware.row(i) = hardware_row(board, run);
    table.soc.push_back(row.at("soc_group"));
    table.network.push_back(network);
    table.soc_id.push_back(number_of(row.at("soc_group"), socs_));
    table.run_id.push_back(number_of(row.at("device") + "|" + row.at("run"), runs_));
    table.network_id.push_back(number_of(network, network_numbers_));
    table.family_id.push_back(number_of(family_of(network), families_));
  }

  const RunPredictor& predictor(const std::string& name, const ArmBoard& board, const ArmRun& run) {
    std::unique_ptr<RunPredictor>& found = predictors_[{name, run.threads, run.slowest.clock_hz}];
    if (!found) {
      const ArmCore& core = run.slowest.core;
      auto [networks, is_new] = stored_networks_.try_emplace(core.name);
      if (is_new) networks->second = networks_for(core, networks_.at(core.has_fp16 ? 16 : 32));
      found = std::make_unique<RunPredictor>(device_of(board, run), networks->second);
    }
    return *found;
  }

  std::map<int, std::map<std::string, Workload>> networks_;  // by the width of floats
  std::vector<CsvRow> rows_;
  ArmDataSheets sheets_;
  std::map<std::string, int> socs_, runs_, network_numbers_, families_;
  std::map<std::string, std::map<std::string, Workload>> stored_networks_;  // by core
  std::map<std::tuple<std::string, int, double>, std::unique_ptr<RunPredictor>> predictors_;
};

}  // namespace

NcnnTable ncnn_table(const DataFolder& data) {
  return NcnnReader(data).table();
}

}  // namespace lathe::bench

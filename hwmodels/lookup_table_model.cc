#include "hwmodels/lookup_table_model.h"

#include <limits>
#include <utility>

#include "hwmodels/additive_prediction.h"
#include "hwmodels/latency_table.h"
#include "hwmodels/op_demand.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

class LookupTableModel final : public HardwareModel {
 public:
  explicit LookupTableModel(DeviceSpec device)
      : device_(std::move(device)),
        table_(read_latency_table(device_.table_file)),
        seconds_per_unit_(device_.at("table_unit_s")),
        static_power_w_(device_.value_or("static_power_w", 0)) {}

  const DeviceSpec& device() const override { return device_; }
  bool is_additive() const override { return true; }
  OpCost op_cost(const OpWorkload& op) const override { return op.is_fused ? OpCost{} : op_cost_of(estimate(op), static_power_w_); }

  Prediction predict(const policies::Workload& workload) const override {
    Prediction prediction =
        predict_additive(device_, workload, static_power_w_, device_.value_or("memory_bytes", std::numeric_limits<double>::infinity()),
                         [this](const OpWorkload& op) { return estimate(op); });
    int unlisted = 0;
    for (const OpWorkload& op : workload.ops) unlisted += !op.is_fused && op.weight_elements == 0;
    if (unlisted > 0)
      prediction.notes.push_back(std::to_string(unlisted) + " operators without weights are not in the table and count nothing");
    return prediction;
  }

 private:
  OpEstimate estimate(const OpWorkload& policy_op) const {
    const OpWorkload op = at_device_widths(policy_op, device_.capabilities);
    const std::optional<TableShape> shape = table_shape(op);
    if (!shape) return {};
    const std::optional<double> latency = table_.latency(*shape, op.weight_bits, op.input_bits);
    if (!latency) {
      throw UserError(
          Fault{.file = device_.table_file, .key = op.name, .expected = "the table has no layer near this one: " + to_string(*shape)});
    }
    const double latency_s = *latency * seconds_per_unit_ * static_cast<double>(op.batch);
    return {.compute_s = latency_s, .latency_s = latency_s};
  }

  DeviceSpec device_;
  LatencyTable table_;
  double seconds_per_unit_, static_power_w_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_lookup_table_model(DeviceSpec device) {
  return std::make_unique<LookupTableModel>(std::move(device));
}

}  // namespace lathe::hwmodels

#include "hwmodels/lookup_table_model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "hwmodels/additive_model.h"
#include "hwmodels/latency_table.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

class TableEstimator final : public OpEstimator {
 public:
  explicit TableEstimator(const DeviceSpec& device)
      : file_(device.table_file), table_(read_latency_table(file_)), seconds_per_unit_(device.at("table_unit_s")) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const std::optional<TableShape> shape = table_shape(op);
    if (!shape) return {};
    const std::optional<double> latency = table_.latency(*shape, op.weight_bits, op.input_bits);
    if (!latency) {
      throw UserError(Fault{.file = file_, .key = op.name, .expected = "the table has no layer near this one: " + to_string(*shape)});
    }
    const double latency_s = *latency * seconds_per_unit_ * static_cast<double>(op.batch);
    return {.compute_s = latency_s, .latency_s = latency_s};
  }

  std::vector<std::string> notes(const policies::Workload& workload) const override {
    const auto is_unlisted = [](const OpWorkload& op) { return !op.is_fused && op.weight_elements == 0; };
    const auto unlisted = std::ranges::count_if(workload.ops, is_unlisted);
    if (unlisted == 0) return {};
    return {std::to_string(unlisted) + " operators without weights are not in the table and count nothing"};
  }

 private:
  std::string file_;
  LatencyTable table_;
  double seconds_per_unit_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_lookup_table_model(DeviceSpec device) {
  auto estimator = std::make_unique<TableEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels

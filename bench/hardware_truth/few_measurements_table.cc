#include "bench/hardware_truth/few_measurements_table.h"

#include <functional>
#include <map>

#include "bench/hardware_truth/baselines.h"
#include "models/base/check.h"

namespace lathe::bench {
namespace {

using DeviceTest = std::function<bool(const MeasuredDevice&)>;

std::vector<const MeasuredDevice*> devices_where(const MeasuredSpace& space, const DeviceTest& holds) {
  std::vector<const MeasuredDevice*> devices;
  for (const MeasuredDevice& device : space.devices) {
    if (holds(device)) devices.push_back(&device);
  }
  return devices;
}

TruthRow device_row(const SpaceTable& table, const MeasuredDevice& device, const std::vector<const MeasuredDevice*>& others,
                    const hwmodels::HierarchicalPrior& prior, const char* protocol) {
  const Agreement own = evaluate_device(*table.space, device, prior, table.options);
  const Agreement macs = macs_baseline(*table.macs, device, table.options);
  const Agreement linear = linear_baseline(*table.linear_features, device, table.options);
  return {table.dataset,
          device.name,
          protocol,
          {{kSpearman, own.spearman},
           {kError, own.median_error_percent},
           {"in 90 % interval %", own.covered_percent},
           {"MACs: Spearman", macs.spearman},
           {"MACs: error %", macs.median_error_percent},
           {"mean rank: Spearman", mean_rank_baseline(device, others)},
           {"linear: Spearman", linear.spearman},
           {"linear: error %", linear.median_error_percent}}};
}

// The mean of each metric over the rows of the result from `first` on that `counts` admits.
void add_mean_row(std::size_t first, const std::string& name, const std::function<bool(const std::string& device)>& counts,
                  SectionResult& result) {
  TruthRow mean;
  int rows = 0;
  for (std::size_t i = first; i < result.rows.size(); ++i) {
    const TruthRow& row = result.rows[i];
    if (!counts(row.device)) continue;
    ++rows;
    if (rows == 1) {
      mean = row;
      continue;
    }
    for (std::size_t m = 0; m < row.metrics.size(); ++m) mean.metrics[m].value += row.metrics[m].value;
  }
  if (rows == 0) return;
  for (Metric& sum : mean.metrics) sum.value /= rows;
  mean.device = "mean of " + std::to_string(rows) + " " + name;
  result.rows.push_back(std::move(mean));
}

std::string chip_of(const std::string& device) {
  return parse_device_column(device).chip;
}

}  // namespace

void add_help_protocol(const SpaceTable& table, SectionResult& result) {
  const auto training = devices_where(*table.space, [](const MeasuredDevice& device) { return is_training_chip(device.chip); });
  if (training.empty()) {
    result.notes.push_back("HELP's protocol is left out: none of its training devices is in the data.");
    return;
  }
  const auto prior = learn_space_prior(*table.space, training, table.options);
  const std::size_t first = result.rows.size();
  for (const MeasuredDevice* device : devices_where(*table.space, [](const MeasuredDevice& d) { return !is_training_chip(d.chip); })) {
    result.rows.push_back(device_row(table, *device, training, prior, kHelpProtocol));
  }
  add_mean_row(
      first, "unseen", [](const std::string& device) { return is_unseen_chip(chip_of(device)); }, result);
}

void add_chip_left_out(const SpaceTable& table, SectionResult& result) {
  const auto measured = devices_where(*table.space, [](const MeasuredDevice& device) { return !is_modelled_chip(device.chip); });
  std::map<std::string, hwmodels::HierarchicalPrior> priors;  // by the chip that is left out
  const std::size_t first = result.rows.size();
  for (const MeasuredDevice* device : measured) {
    std::vector<const MeasuredDevice*> others;
    for (const MeasuredDevice* other : measured) {
      if (other->chip != device->chip) others.push_back(other);
    }
    if (others.empty()) continue;
    if (!priors.contains(device->chip)) priors[device->chip] = learn_space_prior(*table.space, others, table.options);
    result.rows.push_back(device_row(table, *device, others, priors[device->chip], kChipLeftOut));
  }
  add_mean_row(
      first, "measured", [](const std::string&) { return true; }, result);
}

const TruthRow* find_mean(const SectionResult& result, const std::string& protocol) {
  for (const TruthRow& row : result.rows) {
    if (row.protocol == protocol && row.device.starts_with("mean of ")) return &row;
  }
  return nullptr;
}

double metric(const TruthRow& row, const std::string& name) {
  for (const Metric& metric : row.metrics) {
    if (metric.name == name) return metric.value;
  }
  LATHE_CHECK(false) << "no metric " << name;
  return 0;
}

}  // namespace lathe::bench

// MLPerf Tiny on Cortex-M: a chip is left out, one network of a system is measured, the system's other networks are predicted. Latency
// and energy are two columns of measurements; energy is power times time, so what one measurement says of the power carries over.
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "bench/hardware_truth/sections.h"
#include "bench/hardware_truth/tiny_rows.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/calibration/crossed_effects.h"

namespace lathe::bench {
namespace {

using hwmodels::CrossedEffects;
using hwmodels::Effect;
using hwmodels::Gaussian;

constexpr double kNoise = 0.05;

// How far chips, engines and systems are believed to be from the data sheet's prediction, in logarithms: of all kernels, or of one
// kernel (times its share of the time).
std::vector<Effect> effects_of(const TinyTable& table, const std::vector<int>& rows) {
  const Eigen::MatrixXd shares = table.shares(rows, Eigen::all);
  const auto of = [&](const std::vector<int>& ids) {
    std::vector<int> chosen;
    for (const int row : rows) chosen.push_back(ids[static_cast<std::size_t>(row)]);
    return chosen;
  };
  const Eigen::MatrixXd constant;
  return {{0.3, {}, shares},
          {0.3, of(table.chip_id), constant},
          {0.2, of(table.chip_id), shares},
          {0.15, of(table.engine_id), constant},
          {0.3, of(table.engine_id), shares},
          {0.15, of(table.release_id), constant},
          {0.3, of(table.release_id), shares},
          {0.1, of(table.system_id), constant},
          {0.1, of(table.system_id), shares},
          {0.1, of(table.task_id), constant}};
}

std::map<int, std::vector<int>> positions_by(const std::vector<int>& ids, const std::vector<int>& rows) {
  std::map<int, std::vector<int>> positions;
  for (int i = 0; i < static_cast<int>(rows.size()); ++i) {
    positions[ids[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])]].push_back(i);
  }
  return positions;
}

struct Errors {
  std::map<std::string, std::vector<double>> by_chip, by_task;
  std::vector<double> all, data_sheet, unmeasured;  // unmeasured: the data sheet and other chips alone
};

double percent(double log_error) {
  return 100 * std::abs(std::expm1(log_error));
}

// rows: of the table, whose `residual` (measured over predicted, in logarithms) is known.
Errors errors_of(const TinyTable& table, const std::vector<int>& rows, const Eigen::VectorXd& residual) {
  const CrossedEffects effects(effects_of(table, rows), residual, kNoise);
  Errors errors;
  for (const auto& [chip, chip_rows] : positions_by(table.chip_id, rows)) {
    const Gaussian belief = effects.leave_out(chip_rows);
    for (std::size_t i = 0; i < chip_rows.size(); ++i) {
      errors.data_sheet.push_back(percent(-residual[chip_rows[i]]));
      errors.unmeasured.push_back(percent(belief.mean[static_cast<Eigen::Index>(i)] - residual[chip_rows[i]]));
    }
    std::vector<int> table_rows;
    for (const int i : chip_rows) table_rows.push_back(rows[static_cast<std::size_t>(i)]);
    for (const auto& [system, system_rows] : positions_by(table.system_id, table_rows)) {
      for (const int measured : system_rows) {
        const Eigen::VectorXd seen = Eigen::VectorXd::Constant(1, residual[chip_rows[static_cast<std::size_t>(measured)]]);
        const Gaussian known = hwmodels::observe(belief, {measured}, seen, effects.noise());
        for (const int asked : system_rows) {
          if (asked == measured) continue;
          const double error = percent(known.mean[asked] - residual[chip_rows[static_cast<std::size_t>(asked)]]);
          const auto row = static_cast<std::size_t>(table_rows[static_cast<std::size_t>(asked)]);
          errors.all.push_back(error);
          errors.by_chip[table.chip[row]].push_back(error);
          errors.by_task[table.task[row]].push_back(error);
        }
      }
    }
  }
  return errors;
}

void add_rows(const std::string& quantity, const Errors& errors, SectionResult& result) {
  const auto add = [&](const std::string& device, const std::string& protocol, const std::vector<double>& values) {
    result.rows.push_back({"MLPerf Tiny, " + quantity,
                           device,
                           protocol,
                           {{"median error %", measurements::median(values)}, {"predictions", static_cast<double>(values.size())}}});
  };
  const std::string measured = "chip left out, 1 measurement";
  for (const auto& [chip, values] : errors.by_chip) add(chip, measured, values);
  for (const auto& [task, values] : errors.by_task) add("all chips, " + task, measured, values);
  add("all chips", measured, errors.all);
  add("all chips", "data sheet and other chips, nothing measured", errors.unmeasured);
  add("all chips", "data sheet alone", errors.data_sheet);
}

}  // namespace

SectionResult mlperf_tiny(const DataFolder& data) {
  int left_out = 0;
  const TinyTable table = tiny_table(data, left_out);
  std::vector<int> all(static_cast<std::size_t>(table.rows())), with_energy;
  std::iota(all.begin(), all.end(), 0);
  for (const int row : all) {
    if (!std::isnan(table.log_measured_energy[row])) with_energy.push_back(row);
  }
  SectionResult result;
  const Errors latency = errors_of(table, all, table.log_measured - table.log_predicted);
  add_rows("latency", latency, result);
  const double latency_error = measurements::median(latency.all);
  result.claims.push_back({"MLPerf Tiny, latency, chip left out, 1 measurement: median error %", latency_error, Claim::Bound::kAtMost, 20});
  result.means.push_back({"latency error %", latency_error});
  if (!with_energy.empty()) {
    const Errors energy = errors_of(table, with_energy, (table.log_measured_energy - table.log_predicted_energy)(with_energy));
    add_rows("energy", energy, result);
    const double energy_error = measurements::median(energy.all);
    result.claims.push_back({"MLPerf Tiny, energy, chip left out, 1 measurement: median error %", energy_error, Claim::Bound::kAtMost, 30});
    result.means.push_back({"energy error %", energy_error});
  }
  result.notes.push_back(
      std::to_string(left_out) +
      " rows left out: the open division's own networks, FPGA designs built for one network each, unknown cores or clocks.");
  return result;
}

}  // namespace lathe::bench

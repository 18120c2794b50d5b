// ncnn's tables. A run (a board, a number of threads, a choice of cores) is predicted from the heading's data sheet, what the runs of
// other chips show, and five of its own rows. Two ways to leave out: the chip alone, where the network is known from other boards; and
// chip and network both, which only the physics can answer.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/hardware_truth/ncnn_rows.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/calibration/crossed_effects.h"
#include "models/base/rng.h"

namespace lathe::bench {
namespace {

using hwmodels::CrossedEffects;
using hwmodels::Effect;
using hwmodels::Gaussian;

constexpr int kMeasured = 5, kDraws = 20, kNetworkDraws = 5;
constexpr double kNoise = 0.08;

// How far boards, runs and networks are believed to be from the data sheet's prediction, in logarithms: of the sum of all kernels, or of
// one kernel (times its share of the time).
std::vector<Effect> effects_of(const NcnnTable& table) {
  const Eigen::MatrixXd& shares = table.shares;
  const Eigen::MatrixXd& hardware = table.hardware;
  const Eigen::MatrixXd constant;
  return {
      {0.3, {}, shares},  // what the kernels' constants miss on all boards
      {0.3, {}, hwmodels::feature_products(shares, hardware)},
      {0.3, {}, hardware},
      {0.5, table.soc_id, constant},
      {0.3, table.soc_id, shares},
      {0.15, table.run_id, constant},
      {0.2, table.run_id, shares},
      {0.15, table.family_id, constant},  // what the layer table misses of a network
      {0.1, table.network_id, constant},
      {0.03, table.family_id, hardware},
  };
}

std::vector<int> rows_where(const std::vector<int>& ids, int id) {
  std::vector<int> rows;
  for (int i = 0; i < static_cast<int>(ids.size()); ++i) {
    if (ids[static_cast<std::size_t>(i)] == id) rows.push_back(i);
  }
  return rows;
}

std::vector<int> drawn(std::vector<int> items, int count, Rng& rng) {
  rng.shuffle(items);
  items.resize(static_cast<std::size_t>(count));
  return items;
}

// Errors by chip and by precision.
struct Errors {
  std::map<std::string, std::vector<double>> by_chip;
  std::map<std::string, std::vector<double>> by_precision;
  std::vector<double> all;

  void add(const NcnnTable& table, int row, double log_predicted) {
    const double error = 100 * std::abs(std::expm1(log_predicted - table.log_measured[row]));
    const std::string& network = table.network[static_cast<std::size_t>(row)];
    by_chip[table.soc[static_cast<std::size_t>(row)]].push_back(error);
    by_precision[network.ends_with("_int8") ? "int8" : "float"].push_back(error);
    all.push_back(error);
  }
};

// A run's rows and what is known of them before any is measured.
struct RunBelief {
  std::vector<int> rows;  // of the table
  Gaussian residual;
};

std::vector<RunBelief> runs_of(const NcnnTable& table, const std::vector<int>& rows, const Gaussian& residual) {
  std::map<int, std::vector<int>> positions;  // in `rows`, by run
  for (int i = 0; i < static_cast<int>(rows.size()); ++i) {
    positions[table.run_id[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])]].push_back(i);
  }
  std::vector<RunBelief> runs;
  for (const auto& [run, where] : positions) {
    RunBelief& belief = runs.emplace_back();
    for (const int i : where) belief.rows.push_back(rows[static_cast<std::size_t>(i)]);
    belief.residual = {residual.mean(where), residual.covariance(where, where)};
  }
  return runs;
}

class NcnnStudy {
 public:
  explicit NcnnStudy(const DataFolder& data)
      : table_(ncnn_table(data)), effects_(effects_of(table_), table_.log_measured - table_.log_predicted, kNoise) {}

  const NcnnTable& table() const { return table_; }

  Errors chip_left_out() const {
    Errors errors;
    for (const std::vector<int>& rows : chips()) {
      for (const RunBelief& run : runs_of(table_, rows, effects_.leave_out(rows))) predict_run(run, positions_of(run), {}, kDraws, errors);
    }
    return errors;
  }

  Errors chip_and_network_left_out() const {
    Errors errors;
    for (const std::vector<int>& rows : chips()) {
      for (const int family : families_of(rows)) {
        const Gaussian residual = effects_.leave_out(with_family(rows, family));
        for (const RunBelief& run : runs_of(table_, rows, head(residual, rows.size()))) {
          std::vector<int> measurable, asked;
          for (const int i : positions_of(run)) (family_at(run, i) == family ? asked : measurable).push_back(i);
          if (!asked.empty()) predict_run(run, measurable, asked, kNetworkDraws, errors);
        }
      }
    }
    return errors;
  }

  // Nothing of the chip measured.
  Errors data_sheet_alone() const {
    Errors errors;
    for (const std::vector<int>& rows : chips()) {
      const Gaussian residual = effects_.leave_out(rows);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        errors.add(table_, rows[i], table_.log_predicted[rows[i]] + residual.mean[static_cast<Eigen::Index>(i)]);
      }
    }
    return errors;
  }

  // A factor for the run, from the same five rows, times the network's own time on the other chips.
  Errors board_times_network() const {
    Errors errors;
    for (const std::vector<int>& rows : chips()) {
      const std::map<int, double> identity = network_times(rows);
      const Gaussian none{Eigen::VectorXd::Zero(static_cast<Eigen::Index>(rows.size())),
                          Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.size()))};
      for (const RunBelief& run : runs_of(table_, rows, none)) predict_by_identity(run, identity, errors);
    }
    return errors;
  }

 private:
  std::vector<std::vector<int>> chips() const {
    std::vector<std::vector<int>> chips;
    for (const int soc : std::set<int>(table_.soc_id.begin(), table_.soc_id.end())) chips.push_back(rows_where(table_.soc_id, soc));
    return chips;
  }

  static std::vector<int> positions_of(const RunBelief& run) {
    std::vector<int> positions(run.rows.size());
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int>(i);
    return positions;
  }

  int family_at(const RunBelief& run, int position) const {
    return table_.family_id[static_cast<std::size_t>(run.rows[static_cast<std::size_t>(position)])];
  }

  std::set<int> families_of(const std::vector<int>& rows) const {
    std::set<int> families;
    for (const int row : rows) families.insert(table_.family_id[static_cast<std::size_t>(row)]);
    return families;
  }

  // The rows first, then the family's on other chips.
  std::vector<int> with_family(std::vector<int> rows, int family) const {
    const std::set<int> present(rows.begin(), rows.end());
    for (const int row : rows_where(table_.family_id, family)) {
      if (!present.contains(row)) rows.push_back(row);
    }
    return rows;
  }

  static Gaussian head(const Gaussian& whole, std::size_t count) {
    const auto n = static_cast<Eigen::Index>(count);
    return {whole.mean.head(n), whole.covariance.topLeftCorner(n, n)};
  }

  // Measures five of `measurable`, predicts `asked`; all that were not measured where that is empty.
  void predict_run(const RunBelief& run, const std::vector<int>& measurable, const std::vector<int>& asked, int draws,
                   Errors& errors) const {
    if (static_cast<int>(measurable.size()) <= kMeasured) return;
    for (int draw = 0; draw < draws; ++draw) {
      Rng rng(static_cast<std::uint64_t>(draw), "ncnn", static_cast<std::uint64_t>(run.rows.front()));
      const std::vector<int> measured = drawn(measurable, kMeasured, rng);
      Eigen::VectorXd residuals(kMeasured);
      for (int i = 0; i < kMeasured; ++i) {
        const int row = run.rows[static_cast<std::size_t>(measured[static_cast<std::size_t>(i)])];
        residuals[i] = table_.log_measured[row] - table_.log_predicted[row];
      }
      const Gaussian known = hwmodels::observe(run.residual, measured, residuals, effects_.noise());
      for (const int i : asked.empty() ? positions_of(run) : asked) {
        if (std::find(measured.begin(), measured.end(), i) != measured.end()) continue;
        const int row = run.rows[static_cast<std::size_t>(i)];
        errors.add(table_, row, table_.log_predicted[row] + known.mean[i]);
      }
    }
  }

  // Logarithm of each network's time on the other chips, boards' factors removed: medians in turn until they rest.
  std::map<int, double> network_times(const std::vector<int>& left_out) const {
    constexpr int kRounds = 20;
    const std::set<int> hidden(left_out.begin(), left_out.end());
    std::map<int, double> network, run;
    for (int round = 0; round < kRounds; ++round) {
      std::map<int, std::vector<double>> by_run, by_network;
      for (int i = 0; i < table_.rows(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!hidden.contains(i)) by_run[table_.run_id[at]].push_back(table_.log_measured[i] - network[table_.network_id[at]]);
      }
      for (const auto& [id, values] : by_run) run[id] = measurements::median(values);
      for (int i = 0; i < table_.rows(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!hidden.contains(i)) by_network[table_.network_id[at]].push_back(table_.log_measured[i] - run[table_.run_id[at]]);
      }
      for (const auto& [id, values] : by_network) network[id] = measurements::median(values);
    }
    return network;
  }

  void predict_by_identity(const RunBelief& run, const std::map<int, double>& identity, Errors& errors) const {
    if (static_cast<int>(run.rows.size()) <= kMeasured) return;
    const auto time_of = [&](int row) {
      const auto found = identity.find(table_.network_id[static_cast<std::size_t>(row)]);
      return found == identity.end() ? 0 : found->second;
    };
    for (int draw = 0; draw < kDraws; ++draw) {
      Rng rng(static_cast<std::uint64_t>(draw), "ncnn", static_cast<std::uint64_t>(run.rows.front()));
      const std::vector<int> measured = drawn(run.rows, kMeasured, rng);
      double factor = 0;
      for (const int row : measured) factor += (table_.log_measured[row] - time_of(row)) / kMeasured;
      for (const int row : run.rows) {
        if (std::find(measured.begin(), measured.end(), row) == measured.end()) errors.add(table_, row, factor + time_of(row));
      }
    }
  }

  NcnnTable table_;
  CrossedEffects effects_;
};

void add_rows(const std::string& protocol, const Errors& errors, bool by_chip, SectionResult& result) {
  const auto add = [&](const std::string& device, const std::vector<double>& values) {
    result.rows.push_back({"ncnn",
                           device,
                           protocol,
                           {{"median error %", measurements::median(values)}, {"predictions", static_cast<double>(values.size())}}});
  };
  if (by_chip) {
    for (const auto& [chip, values] : errors.by_chip) add(chip, values);
  }
  for (const auto& [precision, values] : errors.by_precision) add("all chips, " + precision, values);
  add("all chips", errors.all);
}

}  // namespace

SectionResult ncnn(const DataFolder& data) {
  const NcnnStudy study(data);
  SectionResult result;
  const Errors chip = study.chip_left_out(), both = study.chip_and_network_left_out();
  const Errors sheet = study.data_sheet_alone(), identity = study.board_times_network();
  add_rows("chip left out, 5 measurements", chip, /*by_chip=*/true, result);
  add_rows("chip and network left out, 5 measurements", both, /*by_chip=*/false, result);
  add_rows("chip left out, data sheet alone", sheet, /*by_chip=*/false, result);
  add_rows("baseline: board factor from 5 measurements x network identity", identity, /*by_chip=*/false, result);
  const double chip_error = measurements::median(chip.all), both_error = measurements::median(both.all);
  const double identity_error = measurements::median(identity.all);
  using Bound = Claim::Bound;
  result.claims = {{"ncnn, chip left out, 5 measurements: median error %", chip_error, Bound::kAtMost, 12},
                   {"ncnn, the same over the baseline board factor x network identity", chip_error / identity_error, Bound::kAtMost, 0.9},
                   {"ncnn, chip and network left out: median error %", both_error, Bound::kAtMost, 20}};
  result.means = {
      {"chip left out error %", chip_error}, {"chip and network left out error %", both_error}, {"baseline error %", identity_error}};
  result.notes.push_back("Five random rows of a run (board, threads, cores) are measured, the run's others predicted; " +
                         std::to_string(study.table().rows()) + " rows, a network leaves with its int8 twin, a chip with all its boards.");
  return result;
}

}  // namespace lathe::bench

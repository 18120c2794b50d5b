// DPU throughput. A family of networks is left out, five of its rates (of any board, variant and number of threads) are measured, the
// others predicted; and the gain of its pruned variants over the whole network.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/hardware_truth/dpu_rows.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/calibration/crossed_effects.h"
#include "models/base/rng.h"

namespace lathe::bench {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using hwmodels::CrossedEffects;
using hwmodels::Effect;
using hwmodels::Gaussian;

constexpr int kMeasured = 5, kDraws = 20;
constexpr double kNoise = 0.08;

// Squares and the product of operations and pixels.
MatrixXd curvature_of(const MatrixXd& network) {
  MatrixXd curvature(network.rows(), 4);
  curvature << network.cwiseAbs2(), network.col(0).cwiseProduct(network.col(1));
  return curvature;
}

// How far boards and families are believed to be from the data sheet's prediction, in logarithms. A family is unlike others in all boards
// (its layers), in those of one fabric or one architecture (what the engine is bad at), in one kind of host (its pre- and
// post-processing), and in what pruning brings; each scale is a standard deviation.
std::vector<Effect> effects_of(const DpuTable& table) {
  const MatrixXd constant;
  const MatrixXd& network = table.network;
  const MatrixXd pruned = table.pruned, size = table.log_operations.array() - 1.5;
  const auto family = [&](const std::vector<int>& other) { return hwmodels::joint_groups(table.family_id, other); };
  const std::vector<int> family_architecture = family(table.architecture_id), family_host = family(table.host_id);
  const std::vector<int> variant_architecture = hwmodels::joint_groups(table.variant_id, table.architecture_id);
  return {{0.7, {}, constant},
          {0.5, {}, network},
          {1.2, {}, curvature_of(network)},
          {0.4, {}, pruned},
          {0.6, table.architecture_id, constant},
          {0.6, table.architecture_id, network},
          {0.2, table.setting_id, constant},
          {0.15, table.setting_id, network},
          {0.3, table.threads_id, network},
          {0.6, table.family_id, constant},
          {0.12, table.family_id, size},
          {0.5, table.family_id, pruned},
          {0.4, family(table.fabric_id), constant},
          {0.25, family_architecture, constant},
          {0.2, family_architecture, pruned},
          {0.25, family_host, constant},
          {0.11, family_host, pruned},
          {0.07, family(table.threads_id), constant},
          {0.12, hwmodels::joint_groups(family_architecture, table.threads_id), constant},
          {0.09, hwmodels::joint_groups(family_host, table.threads_id), constant},
          {0.07, family(table.board_id), constant},
          {0.05, variant_architecture, constant},
          {0.075, hwmodels::joint_groups(table.variant_id, table.threads_id), constant}};
}

double percent(double log_error) {
  return 100 * std::abs(std::expm1(log_error));
}

struct GainErrors {
  std::vector<double> predicted, no_gain, mac_ratio;
};

struct FamilyErrors {
  std::map<std::string, std::vector<double>> by_board;
  std::vector<double> all, unmeasured, data_sheet;
  GainErrors gain, gain_of_measured_whole;  // after five measurements; after the whole network alone was measured on that board
};

class DpuStudy {
 public:
  explicit DpuStudy(const DataFolder& data)
      : table_(dpu_table(data)),
        effects_(effects_of(table_), table_.log_measured - table_.log_predicted, kNoise),
        pairs_(pruned_pairs(table_)) {}

  FamilyErrors run() const {
    FamilyErrors errors;
    for (const int family : std::set<int>(table_.family_id.begin(), table_.family_id.end())) {
      std::vector<int> rows;
      for (int i = 0; i < table_.rows(); ++i) {
        if (table_.family_id[static_cast<std::size_t>(i)] == family) rows.push_back(i);
      }
      predict_family(rows, errors);
    }
    return errors;
  }

  int rows() const { return table_.rows(); }
  std::size_t pairs() const { return pairs_.size(); }

 private:
  double residual(int row) const { return table_.log_measured[row] - table_.log_predicted[row]; }

  void predict_family(const std::vector<int>& rows, FamilyErrors& errors) const {
    const Gaussian belief = effects_.leave_out(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      errors.data_sheet.push_back(percent(-residual(rows[i])));
      errors.unmeasured.push_back(percent(belief.mean[static_cast<Eigen::Index>(i)] - residual(rows[i])));
    }
    for (const PrunedPair& pair : pairs_of(rows)) {
      const std::vector<double> known = known_times(rows, belief, {pair.whole});
      add_gain(rows, known, pair, errors.gain_of_measured_whole);
    }
    if (static_cast<int>(rows.size()) <= kMeasured) return;
    for (int draw = 0; draw < kDraws; ++draw) {
      Rng rng(static_cast<std::uint64_t>(draw), "dpu", static_cast<std::uint64_t>(rows.front()));
      std::vector<int> measured(rows.size());
      for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = static_cast<int>(i);
      rng.shuffle(measured);
      measured.resize(kMeasured);
      add_draw(rows, known_times(rows, belief, measured), measured, errors);
    }
  }

  // Logarithm of each row's predicted time once `measured` (positions in `rows`) are known.
  std::vector<double> known_times(const std::vector<int>& rows, const Gaussian& belief, const std::vector<int>& measured) const {
    VectorXd seen(static_cast<Eigen::Index>(measured.size()));
    for (Eigen::Index i = 0; i < seen.size(); ++i) {
      seen[i] = residual(rows[static_cast<std::size_t>(measured[static_cast<std::size_t>(i)])]);
    }
    const Gaussian known = hwmodels::observe(belief, measured, seen, effects_.noise());
    std::vector<double> times;
    for (std::size_t i = 0; i < rows.size(); ++i) times.push_back(table_.log_predicted[rows[i]] + known.mean[static_cast<Eigen::Index>(i)]);
    return times;
  }

  void add_draw(const std::vector<int>& rows, const std::vector<double>& times, const std::vector<int>& measured,
                FamilyErrors& errors) const {
    const auto is_measured = [&](int position) { return std::find(measured.begin(), measured.end(), position) != measured.end(); };
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (is_measured(static_cast<int>(i))) continue;
      const double error = percent(times[i] - table_.log_measured[rows[i]]);
      errors.all.push_back(error);
      errors.by_board[table_.board[static_cast<std::size_t>(rows[i])]].push_back(error);
    }
    for (const PrunedPair& pair : pairs_of(rows)) {
      if (!is_measured(pair.pruned)) add_gain(rows, times, pair, errors.gain);
    }
  }

  // As positions in `rows`, which are one family.
  std::vector<PrunedPair> pairs_of(const std::vector<int>& rows) const {
    std::vector<PrunedPair> found;
    const auto position = [&](int row) { return static_cast<int>(std::lower_bound(rows.begin(), rows.end(), row) - rows.begin()); };
    for (const PrunedPair& pair : pairs_) {
      if (std::binary_search(rows.begin(), rows.end(), pair.pruned)) found.push_back({position(pair.pruned), position(pair.whole)});
    }
    return found;
  }

  void add_gain(const std::vector<int>& rows, const std::vector<double>& times, const PrunedPair& pair, GainErrors& errors) const {
    const auto pruned = static_cast<std::size_t>(pair.pruned), whole = static_cast<std::size_t>(pair.whole);
    const double gain = table_.log_measured[rows[whole]] - table_.log_measured[rows[pruned]];
    errors.predicted.push_back(percent(times[whole] - times[pruned] - gain));
    errors.no_gain.push_back(percent(-gain));
    errors.mac_ratio.push_back(percent(table_.log_operations[rows[whole]] - table_.log_operations[rows[pruned]] - gain));
  }

  DpuTable table_;
  CrossedEffects effects_;
  std::vector<PrunedPair> pairs_;
};

void add_row(const std::string& quantity, const std::string& board, const std::string& protocol, const std::vector<double>& errors,
             SectionResult& result) {
  result.rows.push_back({"DPU, " + quantity,
                         board,
                         protocol,
                         {{"median error %", measurements::median(errors)}, {"predictions", static_cast<double>(errors.size())}}});
}

}  // namespace

SectionResult dpu(const DataFolder& data) {
  const DpuStudy study(data);
  const FamilyErrors errors = study.run();
  SectionResult result;
  const std::string five = "family left out, 5 measurements";
  for (const auto& [board, values] : errors.by_board) add_row("images a second", board, five, values, result);
  add_row("images a second", "all boards", five, errors.all, result);
  add_row("images a second", "all boards", "family never measured", errors.unmeasured, result);
  add_row("images a second", "all boards", "data sheet alone", errors.data_sheet, result);
  add_row("gain by pruning", "all boards", five, errors.gain.predicted, result);
  add_row("gain by pruning", "all boards", "family left out, whole network measured on that board", errors.gain_of_measured_whole.predicted,
          result);
  add_row("gain by pruning", "all boards", "baseline: no gain", errors.gain.no_gain, result);
  add_row("gain by pruning", "all boards", "baseline: ratio of the multiply-accumulates", errors.gain.mac_ratio, result);
  const double rate_error = measurements::median(errors.all), gain_error = measurements::median(errors.gain.predicted);
  result.claims = {{"DPU, family left out, 5 measurements: median error %", rate_error, Claim::Bound::kAtMost, 15},
                   {"DPU, gain of pruned variants: median error %", gain_error, Claim::Bound::kAtMost, 12}};
  result.means = {{"error %", rate_error}, {"gain error %", gain_error}};
  result.notes.push_back(
      "Five random rates of a left-out family, of any board, variant and number of threads, are measured, its others predicted; " +
      std::to_string(study.rows()) + " rates, " + std::to_string(study.pairs()) +
      " pairs of a pruned and its whole network in one setting.");
  return result;
}

}  // namespace lathe::bench

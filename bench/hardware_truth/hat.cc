// HAT (H. Wang et al., ACL 2020): Transformers of many widths and depths on a Raspberry Pi, a Xeon and a GPU.
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "bench/hardware_truth/few_measurements.h"
#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "models/base/rng.h"

namespace lathe::bench {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using hwmodels::HierarchicalPrior;
using hwmodels::LatencyRows;
using measurements::CsvRow;

constexpr const char* kTasks[] = {"iwslt14deen", "wmt14ende", "wmt14enfr", "wmt19ende"};
struct Hardware {
  const char* name;
  double target_error_percent;  // 0: none is set
};
constexpr Hardware kHardware[] = {{"cpu_raspberrypi", 8}, {"cpu_xeon", 0}, {"gpu_titanxp", 5}};
// Rows whose encoder took this many times the median ran under another load (the data's README).
constexpr double kFlaggedRatio = 2;
constexpr double kAttentionWidth = 512;  // of queries, keys and values in every layer

const std::vector<std::string> kColumns = {
    "encoder_layer_num",   "encoder_embed_dim",         "encoder_ffn_embed_dim_avg",       "decoder_layer_num",
    "decoder_embed_dim",   "decoder_ffn_embed_dim_avg", "decoder_arbitrary_ende_attn_avg", "latency_mean_encoder",
    "latency_mean_decoder"};

struct Task {
  std::string name;
  std::string hardware;
  LatencyRows encoder, decoder;
  std::vector<int> decoder_layers;
  int flagged_rows = 0;
  int size() const { return static_cast<int>(decoder_layers.size()); }
};

// Encoder: starts of kernels, and weights of attention (four products) and feed-forward (two), in 1e7.
VectorXd encoder_features(const CsvRow& row) {
  const double layers = measurements::number(row, "encoder_layer_num"), width = measurements::number(row, "encoder_embed_dim");
  const double hidden = measurements::number(row, "encoder_ffn_embed_dim_avg");
  return VectorXd{{layers, layers * (4 * kAttentionWidth * width + 2 * width * hidden) / 1e7}};
}

// Decoder: fixed work; the projection to the vocabulary, in its input's width; starts of kernels; weights of two attentions and the
// feed-forward that each step reads; keys and values of the encoder's layers that are attended to.
VectorXd decoder_features(const CsvRow& row) {
  const double layers = measurements::number(row, "decoder_layer_num"), width = measurements::number(row, "decoder_embed_dim");
  const double hidden = measurements::number(row, "decoder_ffn_embed_dim_avg");
  const double attended = measurements::number(row, "decoder_arbitrary_ende_attn_avg");
  return VectorXd{{1, width / 1e3, layers, layers * (6 * kAttentionWidth * width + 2 * width * hidden) / 1e7, layers * attended}};
}

LatencyRows latency_rows(const std::vector<CsvRow>& rows, const std::string& column,
                         const std::function<VectorXd(const CsvRow&)>& features) {
  const auto count = static_cast<Eigen::Index>(rows.size());
  LatencyRows result{MatrixXd(count, features(rows.front()).size()), VectorXd(count)};
  for (Eigen::Index i = 0; i < count; ++i) {
    const CsvRow& row = rows[static_cast<std::size_t>(i)];
    result.features.row(i) = features(row).transpose();
    result.latency_ms[i] = measurements::number(row, column);
  }
  return result;
}

Task read_task(const std::vector<CsvRow>& rows, const std::string& name, const std::string& hardware) {
  std::vector<double> encoder_ms;
  for (const CsvRow& row : rows) encoder_ms.push_back(measurements::number(row, "latency_mean_encoder"));
  const double limit_ms = kFlaggedRatio * measurements::median(encoder_ms);
  std::vector<CsvRow> kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (encoder_ms[i] <= limit_ms) kept.push_back(rows[i]);
  }
  if (kept.size() < kFewestRows) throw MissingData("fewer than " + std::to_string(kFewestRows) + " rows of " + name);
  Task task{.name = name, .hardware = hardware, .flagged_rows = static_cast<int>(rows.size() - kept.size())};
  task.encoder = latency_rows(kept, "latency_mean_encoder", encoder_features);
  task.decoder = latency_rows(kept, "latency_mean_decoder", decoder_features);
  for (const CsvRow& row : kept) task.decoder_layers.push_back(static_cast<int>(measurements::number(row, "decoder_layer_num")));
  return task;
}

std::vector<Task> read_tasks(const DataFolder& data) {
  std::vector<Task> tasks;
  for (const char* name : kTasks) {
    for (const Hardware& hardware : kHardware) {
      try {
        tasks.push_back(
            read_task(data.rows("hat_transformer/" + std::string(name) + "_" + hardware.name + "_dev.csv", kColumns), name, hardware.name));
      } catch (const MissingData&) {
        continue;  // not every task was measured on every device
      }
    }
  }
  if (tasks.empty()) throw MissingData("no file of hat_transformer");
  return tasks;
}

LatencyRows chosen(const LatencyRows& rows, const std::vector<int>& which) {
  return {rows_of(rows.features, which), rows.latency_ms(which)};
}

// Mean over numbers of decoder layers of the rank correlation among networks of that many layers.
double spearman_within_depth(const std::vector<double>& predicted, const std::vector<double>& measured, const std::vector<int>& depths) {
  std::map<int, std::array<std::vector<double>, 2>> by_depth;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    by_depth[depths[i]][0].push_back(predicted[i]);
    by_depth[depths[i]][1].push_back(measured[i]);
  }
  std::vector<double> correlations;
  for (const auto& [depth, values] : by_depth) {
    const double correlation = measurements::spearman(values[0], values[1]);
    if (!std::isnan(correlation)) correlations.push_back(correlation);
  }
  return measurements::mean(correlations);
}

struct TaskScore {
  double error = 0, encoder_error = 0, decoder_error = 0, spearman = 0, within_depth = 0, depth_alone = 0;
};

TaskScore score_draw(const Task& task, const HierarchicalPrior& encoder, const HierarchicalPrior& decoder, std::vector<int> order,
                     int measurements_used) {
  const std::vector<int> measured(order.begin(), order.begin() + measurements_used);
  const std::vector<int> others(order.begin() + measurements_used, order.end());
  const LatencyRows encoder_rows = chosen(task.encoder, others), decoder_rows = chosen(task.decoder, others);
  const VectorXd encoder_ms = calibrate_latency(encoder, chosen(task.encoder, measured)).predict_ms(encoder_rows.features);
  const VectorXd decoder_ms = calibrate_latency(decoder, chosen(task.decoder, measured)).predict_ms(decoder_rows.features);
  const std::vector<double> predicted = to_vector(encoder_ms + decoder_ms);
  const std::vector<double> truth = to_vector(encoder_rows.latency_ms + decoder_rows.latency_ms);
  std::vector<int> depths;
  for (const int i : others) depths.push_back(task.decoder_layers[static_cast<std::size_t>(i)]);
  return {.error = 100 * measurements::median_relative_error(predicted, truth),
          .encoder_error = 100 * measurements::median_relative_error(to_vector(encoder_ms), to_vector(encoder_rows.latency_ms)),
          .decoder_error = 100 * measurements::median_relative_error(to_vector(decoder_ms), to_vector(decoder_rows.latency_ms)),
          .spearman = measurements::spearman(predicted, truth),
          .within_depth = spearman_within_depth(predicted, truth, depths),
          .depth_alone = measurements::spearman({depths.begin(), depths.end()}, truth)};
}

TaskScore score(const Task& task, const HierarchicalPrior& encoder, const HierarchicalPrior& decoder) {
  const FewMeasurementsOptions options;
  TaskScore mean;
  for (int draw = 0; draw < options.draws; ++draw) {
    std::vector<int> order(static_cast<std::size_t>(task.size()));
    std::iota(order.begin(), order.end(), 0);
    Rng(options.seed, task.name + task.hardware, static_cast<std::uint64_t>(draw)).shuffle(order);
    const TaskScore drawn = score_draw(task, encoder, decoder, std::move(order), std::min(options.measurements, task.size() / 2));
    mean.error += drawn.error / options.draws;
    mean.encoder_error += drawn.encoder_error / options.draws;
    mean.decoder_error += drawn.decoder_error / options.draws;
    mean.spearman += drawn.spearman / options.draws;
    mean.within_depth += drawn.within_depth / options.draws;
    mean.depth_alone += drawn.depth_alone / options.draws;
  }
  return mean;
}

// The prior of `hardware` from the tasks on other hardware; from all where there is no other.
struct Priors {
  HierarchicalPrior encoder, decoder;
};
Priors learn_priors(const std::vector<Task>& tasks, const std::string& hardware) {
  std::vector<LatencyRows> encoders, decoders;
  for (const bool takes_own : {false, true}) {
    if (!encoders.empty()) break;
    for (const Task& task : tasks) {
      if (!takes_own && task.hardware == hardware) continue;
      encoders.push_back(task.encoder);
      decoders.push_back(task.decoder);
    }
  }
  return {hwmodels::learn_latency_prior(encoders), hwmodels::learn_latency_prior(decoders)};
}

}  // namespace

SectionResult hat(const DataFolder& data) {
  const std::vector<Task> tasks = read_tasks(data);
  SectionResult result;
  int flagged = 0;
  for (const Hardware& hardware : kHardware) {
    std::vector<double> errors, correlations;
    const Priors priors = learn_priors(tasks, hardware.name);
    for (const Task& task : tasks) {
      if (task.hardware != hardware.name) continue;
      const TaskScore scored = score(task, priors.encoder, priors.decoder);
      errors.push_back(scored.error);
      correlations.push_back(scored.within_depth);
      flagged += task.flagged_rows;
      result.rows.push_back({"HAT " + task.name,
                             task.hardware,
                             "other hardware + 10",
                             {{"median error %", scored.error},
                              {"encoder: error %", scored.encoder_error},
                              {"decoder: error %", scored.decoder_error},
                              {"Spearman", scored.spearman},
                              {"Spearman at equal depth", scored.within_depth},
                              {"depth alone: Spearman", scored.depth_alone}}});
    }
    if (errors.empty()) continue;
    result.means.push_back({std::string(hardware.name) + " error %", measurements::mean(errors)});
    result.means.push_back({"at equal depth", measurements::mean(correlations)});
    if (hardware.target_error_percent > 0) {
      result.claims.push_back({"mean of median errors %, " + std::string(hardware.name), measurements::mean(errors), Claim::Bound::kAtMost,
                               hardware.target_error_percent});
    }
  }
  result.notes.push_back("Latency: encoder and decoder together. Left out: " + std::to_string(flagged) +
                         " rows whose encoder took more than twice the median.");
  return result;
}

}  // namespace lathe::bench

#include "experiments/search_description.h"

#include "experiments/text_table.h"

namespace lathe::experiments {

std::vector<std::string> search_description(const Experiment& experiment, std::size_t earlier_trials, double float_accuracy) {
  std::string devices;
  for (const Target& target : experiment.targets)
    devices += (devices.empty() ? "" : ", ") + target.name() + " " + format_significant(target.float_prediction.latency_ms, 3) + " ms";
  std::vector<std::string> lines{experiment.network.name + ": " + std::to_string(experiment.space.layers.size()) + " layers, " +
                                 std::to_string(experiment.space.groups.size()) + " groups of channels, " +
                                 std::to_string(experiment.space.decisions.size()) + " decisions; float: " + devices};
  if (experiment.dataset) {
    const evaluators::Dataset& data = *experiment.dataset;
    lines.push_back(data.name + ": " + std::to_string(data.calibration.size()) + " rows calibrate, " + std::to_string(data.search.size()) +
                    " steer the search, " + std::to_string(data.test.size()) + " are held out" +
                    (data.note.empty() ? "" : "; " + data.note));
  }
  if (earlier_trials > 0)
    lines.push_back(std::to_string(earlier_trials) + " trials of " + experiment.config.search.warm_start +
                    " are where the search starts from");
  lines.push_back(std::string("float ") + experiment.metric_name() +
                  " on the search split: " + format_points(float_accuracy));
  return lines;
}

}  // namespace lathe::experiments

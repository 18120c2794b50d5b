#include "experiments/certificate_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "search/certificates.h"

namespace lathe::experiments {

using nlohmann::json;

json certificates_json(const search::Problem& problem, const Target& target, int latency_metric, double float_accuracy,
                       std::span<const search::Trial> front) {
  if (problem.sensitivity.empty()) return {{"none", "the layers' sensitivities were not measured (search.sensitivity)"}};
  std::optional<policies::AdditiveCost> latency = target.scorer->additive_latency();
  if (!latency) return {{"none", "this device's latency is no sum over layers"}};
  const search::Certificates certificates(problem.sensitivity, *std::move(latency));
  json list = json::array();
  for (const search::Trial& trial : front) {
    // No policy loses more than there is, whatever losses add up to.
    const double loss = std::min(certificates.loss(trial.candidate), float_accuracy);
    const double least_loss =
        std::min(certificates.least_loss(trial.metrics[static_cast<std::size_t>(latency_metric)]), float_accuracy);
    list.push_back({{"trial", trial.id},
                    {"model_accuracy", float_accuracy - loss},
                    {"accuracy_bound", float_accuracy - least_loss},
                    {"gap", loss - least_loss}});
  }
  return {{"policies", list}, {"exact", certificates.is_exact()}};
}

}  // namespace lathe::experiments

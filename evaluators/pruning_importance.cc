#include "evaluators/pruning_importance.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <map>

#include "evaluators/activation_importance.h"
#include "evaluators/gate_importance.h"
#include "evaluators/next_layer_selection.h"
#include "models/base/check.h"
#include "policies/pruning_criterion.h"

namespace lathe::evaluators {
namespace {

using RowCriterion = policies::Importance (*)(const models::Network&, const policies::CouplingAnalysis&, const Rows&,
                                              const ImportanceOptions&);

const std::map<std::string, RowCriterion>& row_criteria() {
  static const std::map<std::string, RowCriterion> all{{"activation", activation_importance},
                                                       {"taylor", taylor_importance},
                                                       {"fisher", fisher_importance},
                                                       {"thinet", thinet_importance},
                                                       {"lasso", lasso_importance}};
  return all;
}

}  // namespace

policies::Importance channel_importance(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                        const std::string& criterion, std::uint64_t seed, const Rows* calibration,
                                        const ImportanceOptions& options) {
  if (!policies::needs_rows(criterion)) return policies::weight_importance(network, analysis, criterion, seed);
  LATHE_CHECK(calibration != nullptr && calibration->size() > 0) << criterion << " needs calibration rows";
  at::set_num_threads(1);
  return row_criteria().at(criterion)(network, analysis, first_rows(*calibration, std::min(options.rows, calibration->size())), options);
}

}  // namespace lathe::evaluators

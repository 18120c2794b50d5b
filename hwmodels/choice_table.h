// Which entry of its table an operator or a live value has under a candidate; see policy_scorer.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "hwmodels/candidate_digits.h"
#include "hwmodels/table_index.h"
#include "policies/device_capabilities.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

// Calls visit(entry, setting) once for each entry, with a setting of that entry.
void for_each_entry(const ChoiceTable& table, const CandidateDigits& digits, policies::WorkloadSetting base,
                    const std::function<void(std::size_t, const policies::WorkloadSetting&)>& visit);

class ChoiceTableMaker {
 public:
  // Adds to `digits` what its tables need. All references must outlive the maker.
  ChoiceTableMaker(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space,
                   const policies::DeviceCapabilities& capabilities, CandidateDigits& digits);

  // nullopt where the table would have more than `most_entries`.
  std::optional<ChoiceTable> for_op(int op, std::size_t most_entries);
  std::optional<ChoiceTable> for_value(int value, std::size_t most_entries);
  const policies::WorkloadSetting& base() const { return base_; }

 private:
  // Widths in memory, as the device stores them, of input and output.
  using Widths = std::pair<int, int>;
  using WidthsOf = std::function<Widths(const policies::WorkloadSetting&)>;

  // own_node: the layer whose weights this is, or -1.
  std::optional<ChoiceTable> make(const policies::WorkloadBuilder::Dependencies& dependencies, int own_node, const WidthsOf& widths,
                                  std::size_t most_entries);
  std::optional<int> decision_slot(int decision, bool is_own);
  std::optional<int> token_slot(const std::vector<int>& groups);
  void drop_idle_readers(const WidthsOf& widths, std::vector<int>& readers) const;
  std::optional<int> class_of_readers(const WidthsOf& widths, const std::vector<int>& readers, std::size_t most_combinations);

  const policies::WorkloadBuilder& builder_;
  const policies::SearchSpace& space_;
  const policies::DeviceCapabilities& capabilities_;
  CandidateDigits& digits_;
  policies::WorkloadSetting base_;
};

}  // namespace lathe::hwmodels

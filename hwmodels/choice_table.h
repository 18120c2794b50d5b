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

  // Readers within a residual block that may go, whose decision is the first of `slots`; or a single reader.
  struct ReadingBlock {
    std::vector<int> nodes;  // ascending
    std::vector<int> slots;
    bool may_go = false;
  };
  static constexpr int kNoDigit = -1;

  // own_node: the layer whose weights this is, or -1.
  std::optional<ChoiceTable> make(const policies::WorkloadBuilder::Dependencies& dependencies, int own_node, const WidthsOf& widths,
                                  std::size_t most_entries);
  std::optional<int> decision_slot(int decision, bool is_own);
  std::optional<int> token_slot(const policies::WorkloadBuilder::Dependencies& dependencies);
  void drop_idle_readers(const WidthsOf& widths, std::vector<int>& readers) const;
  static void add_reader(int node, int slot, std::vector<ReadingBlock>& blocks);
  // A digit of the widths that the readers lead to; nullopt where there are too many combinations. Of blocks kNoDigit where all lead to the
  // same.
  std::optional<int> class_of_readers(const WidthsOf& widths, const std::vector<int>& readers, std::size_t most_combinations);
  std::optional<int> class_of_blocks(const WidthsOf& widths, const std::vector<ReadingBlock>& blocks, std::size_t most_combinations);
  std::optional<std::vector<std::uint32_t>> classes(const WidthsOf& widths, const std::vector<int>& slots,
                                                    std::vector<policies::WorkloadSetting> settings, std::size_t most_combinations) const;

  const policies::WorkloadBuilder& builder_;
  const policies::SearchSpace& space_;
  const policies::DeviceCapabilities& capabilities_;
  CandidateDigits& digits_;
  policies::WorkloadSetting base_;
};

}  // namespace lathe::hwmodels

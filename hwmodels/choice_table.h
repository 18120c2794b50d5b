// Which entry of its table an operator or a live value has under a candidate; see policy_scorer.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "policies/device_capabilities.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

// index(candidate) = sum over `main` of offset[choice] + offset of the class of the readers, where that class is
// reading_class[sum over `reading` of offset[choice]]. All offsets are already multiplied by their strides.
class ChoiceTable {
 public:
  std::size_t entries() const { return entries_; }

  std::size_t index(const int* choices) const {
    std::size_t at = 0;
    for (const Dimension& dimension : main_) at += dimension.offset[static_cast<std::size_t>(choices[dimension.decision])];
    if (reading_.empty()) return at;
    std::size_t reading = 0;
    for (const Dimension& dimension : reading_) reading += dimension.offset[static_cast<std::size_t>(choices[dimension.decision])];
    return at + reading_class_[reading];
  }

  // Calls visit(index, setting) once for each entry, with a setting of that entry.
  void for_each_entry(policies::WorkloadSetting base, const policies::SearchSpace& space,
                      const std::function<void(std::size_t, const policies::WorkloadSetting&)>& visit) const;

 private:
  friend class ChoiceTableMaker;
  friend class ChoiceIndex;

  struct Dimension {
    int decision = 0;
    std::vector<std::uint32_t> offset;        // by choice
    std::vector<int> representative;          // by class: a choice of it
    std::vector<std::uint32_t> class_offset;  // by class
  };

  std::vector<Dimension> main_, reading_;
  std::vector<std::uint32_t> reading_class_;              // by index over `reading_`
  std::vector<std::vector<int>> reading_representative_;  // by class: choices of the reading decisions
  std::vector<std::uint32_t> reading_class_offset_;
  std::size_t entries_ = 1;
};

// The index computations of many tables in one piece of memory: several times as fast as asking the tables one by one.
class ChoiceIndex {
 public:
  // `first_entry` is added to all indices of this table.
  void add(const ChoiceTable& table, std::size_t first_entry);
  std::size_t size() const { return tables_.size(); }

  std::size_t index(std::size_t table_index, const int* choices) const {
    const Table& table = tables_[table_index];
    std::size_t at = table.first_entry;
    const Term* term = terms_.data() + table.first_term;
    for (const Term* end = terms_.data() + table.first_reading; term != end; ++term) {
      at += offsets_[term->first_offset + static_cast<std::uint32_t>(choices[term->decision])];
    }
    if (table.first_reading == table.end_reading) return at;
    std::size_t reading = table.first_class;
    for (const Term* end = terms_.data() + table.end_reading; term != end; ++term) {
      reading += offsets_[term->first_offset + static_cast<std::uint32_t>(choices[term->decision])];
    }
    return at + offsets_[reading];
  }

 private:
  struct Term {
    std::uint32_t decision, first_offset;
  };
  struct Table {
    std::uint32_t first_term, first_reading, end_reading, first_class;
    std::size_t first_entry;
  };
  void add_terms(const std::vector<ChoiceTable::Dimension>& dimensions);

  std::vector<Table> tables_;
  std::vector<Term> terms_;
  std::vector<std::uint32_t> offsets_;
};

// Sets in `setting` what one decision says.
void apply_choice(const policies::SearchSpace& space, int decision, int choice, policies::WorkloadSetting& setting);

class ChoiceTableMaker {
 public:
  ChoiceTableMaker(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space,
                   const policies::DeviceCapabilities& capabilities);

  // nullopt where the table would have more than `most_entries`.
  std::optional<ChoiceTable> for_op(int op, std::size_t most_entries) const;
  std::optional<ChoiceTable> for_value(int value, std::size_t most_entries) const;
  const policies::WorkloadSetting& base() const { return base_; }

 private:
  // Widths in memory, as the device stores them, of input and output.
  using Widths = std::pair<int, int>;
  using WidthsOf = std::function<Widths(const policies::WorkloadSetting&)>;

  // own_node: the layer whose weights this is, or -1.
  std::optional<ChoiceTable> make(const policies::WorkloadBuilder::Dependencies& dependencies, int own_node, const WidthsOf& widths,
                                  std::size_t most_entries) const;
  void add_dimension(int decision, const std::vector<std::pair<int, int>>& keys, std::vector<ChoiceTable::Dimension>& dimensions) const;
  void drop_idle_readers(const WidthsOf& widths, ChoiceTable& table) const;
  bool classify_readings(const WidthsOf& widths, std::size_t most_entries, ChoiceTable& table) const;

  const policies::WorkloadBuilder& builder_;
  const policies::SearchSpace& space_;
  const policies::DeviceCapabilities& capabilities_;
  policies::WorkloadSetting base_;
};

}  // namespace lathe::hwmodels

// The entries of many tables under one candidate, by one pass over one piece of memory: several times as fast as asking the tables one by
// one. Tables are kept by their number of axes, so that the sum over axes has no loop and no branch that could be predicted wrongly.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/base/check.h"

namespace lathe::hwmodels {

// entry = sum over the axes of stride * digit. The first stride is 1.
struct ChoiceTable {
  struct Axis {
    std::uint32_t slot, stride;
    bool operator==(const Axis&) const = default;
  };
  std::vector<Axis> axes;
  std::size_t entries = 1;
};

class TableIndex {
 public:
  // Every axis has two digits or more, so a table of 2^18 entries has no more.
  static constexpr std::size_t kMostAxes = 18;
  // Candidates side by side.
  static constexpr std::size_t kLanes = 8;

  // `id` names the table to the visitor; `first_entry` is added to its entries.
  void add(const ChoiceTable& table, std::uint32_t id, std::size_t first_entry) {
    LATHE_CHECK(table.axes.empty() || table.axes.front().stride == 1);
    LATHE_CHECK_LE(table.axes.size(), kMostAxes) << "a table this large is worked out anew for each candidate";
    Group& group = groups_[table.axes.size()];
    group.axes.insert(group.axes.end(), table.axes.begin(), table.axes.end());
    group.tables.push_back({id, static_cast<std::uint32_t>(first_entry)});
  }

  // Appends the slots of all axes.
  void append_slots(std::vector<int>& slots) const {
    for (const Group& group : groups_) {
      for (const ChoiceTable::Axis& axis : group.axes) slots.push_back(static_cast<int>(axis.slot));
    }
  }

  // Calls visit(id, entry) for each table. digits: by slot.
  template <typename Visit>
  void for_each(const std::uint32_t* digits, const Visit& visit) const {
    [&]<std::size_t... counts>(std::index_sequence<counts...>) {
      (visit_group(std::make_index_sequence<counts>(), groups_[counts], digits, visit), ...);
    }
    (std::make_index_sequence<kMostAxes + 1>());
  }

  // Calls visit(id, first_entry, entries) for each table, entries: of each lane, counted from first_entry. digits[slot * kLanes + lane]: as
  // floats, whose products every processor computes side by side. Exact: entries are far below 2^24.
  template <typename Visit>
  void for_each_in_lanes(const float* digits, const Visit& visit) const {
    for (std::size_t count = 0; count < groups_.size(); ++count) {
      const ChoiceTable::Axis* axis = groups_[count].axes.data();
      for (const Table& table : groups_[count].tables) {
        std::array<float, kLanes> sums{};
        for (const ChoiceTable::Axis* end = axis + count; axis != end; ++axis) {
          const auto stride = static_cast<float>(axis->stride);
          const float* digit = digits + axis->slot * kLanes;
          for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += stride * digit[lane];
        }
        std::array<std::int32_t, kLanes> entries;
        for (std::size_t lane = 0; lane < kLanes; ++lane) entries[lane] = static_cast<std::int32_t>(sums[lane]);
        visit(table.id, table.first_entry, entries);
      }
    }
  }

 private:
  struct Table {
    std::uint32_t id, first_entry;
  };
  // Tables of equally many axes; `axes` holds those of the first table, then those of the second, ...
  struct Group {
    std::vector<ChoiceTable::Axis> axes;
    std::vector<Table> tables;
  };

  template <std::size_t... axis, typename Visit>
  static void visit_group(std::index_sequence<axis...>, const Group& group, const std::uint32_t* digits, const Visit& visit) {
    const ChoiceTable::Axis* axes = group.axes.data();
    for (const Table& table : group.tables) {
      visit(table.id, table.first_entry + (0U + ... + (axis == 0 ? digits[axes[axis].slot] : axes[axis].stride * digits[axes[axis].slot])));
      axes += sizeof...(axis);
    }
  }

  std::array<Group, kMostAxes + 1> groups_;
};

}  // namespace lathe::hwmodels

#include "hwmodels/op_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

// What a merged table may have: entries, and times the entries of the larger of its two. Few enough for those of a network to stay in a
// second-level cache of 1 MB.
constexpr std::size_t kMostEntries = 2048, kMostGrowth = 4;
// How far apart in the network two operators are looked for that share choices.
constexpr std::size_t kReach = 4;

// Adds `slot` to `slots`, or makes one of them tell it as well.
void add_slot(CandidateDigits& digits, int slot, std::vector<int>& slots) {
  for (int& known : slots) {
    if (digits.values_given(slot, known)) return;
    if (const std::optional<int> both = digits.join(known, slot)) {
      known = *both;
      return;
    }
  }
  slots.push_back(slot);
}

ChoiceTable joint_index(CandidateDigits& digits, const ChoiceTable& a, const ChoiceTable& b) {
  std::vector<int> slots;
  for (const ChoiceTable::Axis& axis : a.axes) slots.push_back(static_cast<int>(axis.slot));
  for (const ChoiceTable::Axis& axis : b.axes) add_slot(digits, static_cast<int>(axis.slot), slots);
  ChoiceTable joint;
  for (const int slot : slots) {
    joint.axes.push_back({static_cast<std::uint32_t>(slot), static_cast<std::uint32_t>(joint.entries)});
    joint.entries *= static_cast<std::size_t>(digits.extent(slot));
  }
  return joint;
}

// The entry of `part` at each entry of `joint`, each of whose axes determines some of those of `part`.
std::vector<std::size_t> entries_within(const CandidateDigits& digits, const ChoiceTable& part, const ChoiceTable& joint) {
  std::vector<std::size_t> entries(joint.entries, 0);
  for (const ChoiceTable::Axis& axis : part.axes) {
    std::optional<std::vector<std::uint32_t>> values;
    for (auto by = joint.axes.begin(); !values; ++by) {
      LATHE_CHECK(by != joint.axes.end()) << "an axis that the joint table does not know";
      values = digits.values_given(static_cast<int>(axis.slot), static_cast<int>(by->slot));
      if (!values) continue;
      for (std::size_t entry = 0; entry < joint.entries; ++entry) {
        entries[entry] += axis.stride * (*values)[entry / by->stride % values->size()];
      }
    }
  }
  return entries;
}

void add_entries(const CandidateDigits& digits, const OpTable& part, OpTable& joint) {
  const std::vector<std::size_t> entries = entries_within(digits, part.index, joint.index);
  for (std::size_t entry = 0; entry < entries.size(); ++entry) {
    joint.costs[entry] += part.costs[entries[entry]];
    joint.weight_bytes[entry] += part.weight_bytes[entries[entry]];
  }
}

// The table near `guest` that grows least when it takes the guest in; of equal ones the nearest, of these the one before.
std::optional<std::pair<std::size_t, ChoiceTable>> host_of(CandidateDigits& digits, const std::vector<OpTable>& tables, std::size_t guest) {
  std::optional<std::pair<std::size_t, ChoiceTable>> best;
  double least_growth = kMostGrowth + 1;
  for (std::size_t distance = 1; distance <= kReach; ++distance) {
    for (const std::size_t host : {guest - distance, guest + distance}) {
      if (host >= tables.size() || tables[host].index.entries < tables[guest].index.entries) continue;
      ChoiceTable joint = joint_index(digits, tables[host].index, tables[guest].index);
      const double growth = static_cast<double>(joint.entries) / static_cast<double>(tables[host].index.entries);
      if (growth >= least_growth || joint.entries > std::max(kMostEntries, tables[host].index.entries)) continue;
      least_growth = growth;
      best.emplace(host, std::move(joint));
    }
  }
  return best;
}

}  // namespace

void OpTable::drop_idle_axes() {
  for (std::size_t a = index.axes.size(); a-- > 0;) {
    const std::size_t stride = index.axes[a].stride;
    const std::size_t extent = (a + 1 < index.axes.size() ? index.axes[a + 1].stride : index.entries) / stride;
    std::vector<OpSum> fewer_costs;
    std::vector<std::int64_t> fewer_bytes;
    bool is_idle = true;
    for (std::size_t entry = 0; entry < index.entries && is_idle; ++entry) {
      const std::size_t digit = entry / stride % extent;
      if (digit == 0) {
        fewer_costs.push_back(costs[entry]);
        fewer_bytes.push_back(weight_bytes[entry]);
      } else {
        const std::size_t first = entry - digit * stride;
        is_idle = costs[entry] == costs[first] && weight_bytes[entry] == weight_bytes[first];
      }
    }
    if (!is_idle) continue;
    index.axes.erase(index.axes.begin() + static_cast<std::ptrdiff_t>(a));
    for (std::size_t after = a; after < index.axes.size(); ++after) index.axes[after].stride /= static_cast<std::uint32_t>(extent);
    index.entries /= extent;
    costs = std::move(fewer_costs);
    weight_bytes = std::move(fewer_bytes);
  }
}

void merge_tables(CandidateDigits& digits, std::vector<OpTable>& tables) {
  for (std::size_t guest = 0; guest < tables.size();) {
    const auto host = host_of(digits, tables, guest);
    if (!host) {
      ++guest;
      continue;
    }
    OpTable joint{.index = host->second,
                  .costs = std::vector<OpSum>(host->second.entries),
                  .weight_bytes = std::vector<std::int64_t>(host->second.entries)};
    add_entries(digits, tables[host->first], joint);
    add_entries(digits, tables[guest], joint);
    tables[host->first] = std::move(joint);
    tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(guest));
    guest -= std::min(guest, kReach);
  }
}

}  // namespace lathe::hwmodels
